// A visitor's pages: from the door to the rating, with everything that goes wrong on a phone.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Suite, accessible, fits, launch, person, phone, picture } from './support.mjs';
import { Worker } from './worker.mjs';

// No such address will ever exist: no test asks a third party for anything.
const ELSEWHERE = 'https://elsewhere.invalid/';
let suite, browser, site, hosted, hostPage;
before(async () => {
  // The widget's test serves a site of its own there.
  site = http.createServer((request, answer) => answer.end(hostPage));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  hosted = `http://127.0.0.1:${site.address().port}`;
  suite = await Suite.start({ env: { SAMTAL_PAGES__FRAME_ANCESTORS: `["${hosted}"]`, SAMTAL_PAGES__LEAVE_TO: ELSEWHERE } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await suite?.stop();
  site?.close();
});

/** A page's text is seen. */
const seen = (page, text) => page.getByText(text, { exact: false }).first().waitFor();

/** From the door through all questions into the conversation; returns the words for coming back, which are told before the first text. */
async function open(page, text, look = async () => {}, reason = 'Ont i ryggen eller nacken', answers = ['Nej', 'En till fyra veckor']) {
  await page.goto('/e/demo-open');
  await look('entry');
  await page.getByRole('link', { name: 'Börja chatta' }).click();
  await look('whom');
  await page.getByRole('button', { name: 'Mig själv' }).click();
  await look('reason');
  await page.getByRole('button', { name: reason }).click();
  if (answers.length > 0) await look('question');
  for (const answer of answers) await page.getByRole('button', { name: answer, exact: true }).click();
  const phrase = await page.locator('#phrase').textContent();
  await look('text');
  await page.getByLabel('Ditt första meddelande').fill(text);
  await page.getByRole('button', { name: /^Skicka/ }).click();
  await page.waitForURL(/\/c\/[^/]+$/);
  return phrase;
}

const texts = (page) => page.locator('[role=log] .bubble .text').allTextContents();
const write = async (page, text) => {
  await page.getByLabel('Skriv ett meddelande').fill(text);
  await page.getByRole('button', { name: 'Skicka', exact: true }).click();
};
const sent = (page, text) => page.locator('[role=log] .bubble', { hasText: text }).locator('.state', { hasText: 'Skickat' }).waitFor();

for (const [size, options] of [['phone', phone], ['desktop', {}]]) {
  test(`every page of the way in is whole on a ${size}`, async () => {
    const context = await person(browser, suite, options);
    const page = await context.newPage();
    const look = async (name) => {
      await accessible(page, name);
      await fits(page, name);
      await picture(page, `visitor-${name}-${size}`);
    };
    await open(page, 'Jag har ont i ryggen sedan två veckor.', look);
    await write(page, 'Det är värst på morgonen.');
    await sent(page, 'värst på morgonen');
    await look('chat');
    for (const path of ['/e/vc-havet', '/find', '/return', '/find?q=hamar']) {
      await page.goto(path);
      await look(path.slice(1).replaceAll(/\W/g, '-'));
    }
    assert.deepEqual(context.complaints, []);
    await context.close();
  });
}

test('the first page is light, and usable within a second after its first byte on a slow phone', async () => {
  for (const path of ['/e/demo-open', '/find']) {
    const measured = [];
    for (let tries = 0; tries < 2; tries++) {
      const context = await person(browser, suite, phone);
      const page = await context.newPage();
      const line = await context.newCDPSession(page);
      await line.send('Network.enable');
      // Slow 3G, and a phone with a quarter of this machine's speed.
      await line.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 });
      await line.send('Emulation.setCPUThrottlingRate', { rate: 4 });
      let [bytes, asked, first] = [0, null, null];
      line.on('Network.loadingFinished', (one) => (bytes += one.encodedDataLength));
      line.on('Network.requestWillBeSent', (one) => (asked ??= one));
      line.on('Network.dataReceived', (one) => one.requestId === asked.requestId && (first ??= one.timestamp));
      await page.goto(path, { waitUntil: 'networkidle' });
      // All is on the screen, and links, forms and the button that leaves work from then on.
      const seen = await page.evaluate(() => {
        const [page] = performance.getEntriesByType('navigation');
        const [paint] = performance.getEntriesByName('first-contentful-paint');
        return performance.timeOrigin + Math.max(paint.startTime, page.domInteractive);
      });
      // The line's own clock, which delays a byte by what a slow net does, and the page's.
      const usable = seen - 1000 * (asked.wallTime + first - asked.timestamp);
      measured.push({ bytes, usable });
      assert.deepEqual(context.complaints, []);
      await context.close();
    }
    assert.ok(measured.every((one) => one.bytes > 1000 && one.bytes < 50 * 1024), `${path}: ${JSON.stringify(measured)}`);
    // The better one: what else the machine did meanwhile is not the page's.
    assert.ok(Math.min(...measured.map((one) => one.usable)) < 1000, `${path}: ${JSON.stringify(measured)}`);
  }
});

test('offline in the middle of sending, a reload, and a power cut: each message once, in order', async () => {
  const context = await person(browser, suite);
  const page = await context.newPage();
  await open(page, 'Första raden');
  await context.setOffline(true);
  await write(page, 'skriven utan nät');
  await page.locator('#outbox .failed').waitFor();
  assert.equal(await page.locator('#outbox .bubble').count(), 1);
  assert.equal(await page.locator('#outbox .bubble .state').count(), 1, 'one state at a time');
  await page.locator('#away:not([hidden])').waitFor();
  await accessible(page, 'offline');
  await picture(page, 'visitor-offline');
  await page.getByLabel('Skriv ett meddelande').fill('halvt skrivet');
  await context.setOffline(false);
  await sent(page, 'skriven utan nät');
  assert.equal(await page.locator('#outbox .bubble').count(), 0);
  // What is half written outlives a reload.
  await page.reload();
  assert.equal(await page.getByLabel('Skriv ett meddelande').inputValue(), 'halvt skrivet');
  // The process dies under the open page; what is written meanwhile is kept, and sent once it is back.
  await suite.kill();
  await write(page, 'skriven i strömavbrottet');
  await page.locator('#outbox .failed').waitFor();
  await suite.run();
  await sent(page, 'skriven i strömavbrottet');
  await page.locator('#away').waitFor({ state: 'hidden', timeout: 30_000 });
  // An answer that got lost on its way: the second try is the same message.
  let lost = 0;
  await page.route(/\/c\/[^/]+$/, async (route) => {
    if (route.request().method() !== 'POST' || lost++) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await write(page, 'svaret försvann');
  await sent(page, 'svaret försvann');
  // The stream has shown it; the second try is not over before the outbox is empty.
  await page.locator('#outbox').waitFor({ state: 'hidden' });
  assert.ok(lost > 0, 'an answer was lost');
  const expected = ['Första raden', 'skriven utan nät', 'skriven i strömavbrottet', 'svaret försvann'];
  assert.deepEqual(await texts(page), expected);
  // Another tab of the same browser sees the same, live.
  const second = await context.newPage();
  await second.goto(page.url());
  assert.deepEqual(await texts(second), expected);
  await write(second, 'från andra fliken');
  await sent(page, 'från andra fliken');
  assert.deepEqual(await texts(page), [...expected, 'från andra fliken']);
  await context.close();
});

test('danger shows the numbers at once and after a reload, and script stays text', async () => {
  const context = await person(browser, suite, phone);
  const page = await context.newPage();
  // Whoever answers that it is dangerous need not write first.
  await page.goto('/e/demo-open/start');
  for (const answer of ['Mig själv', 'Bröst och andning', 'Ja']) await page.getByRole('button', { name: answer, exact: true }).click();
  await page.locator('#safety a[href="tel:112"]').waitFor();
  await seen(page, 'Råd medan du väntar');
  await accessible(page, 'danger-answered');
  await fits(page, 'danger-answered');
  await picture(page, 'visitor-danger-answered');
  // How old a child is can decide how urgent it is.
  await page.goto('/e/demo-open/start');
  for (const answer of ['Mitt barn', 'Feber']) await page.getByRole('button', { name: answer, exact: true }).click();
  await page.getByRole('heading', { name: 'Hur gammalt är barnet?' }).waitFor();
  await page.getByLabel('Ålder i år').fill('litet');
  await page.getByRole('button', { name: 'Fortsätt' }).click();
  await seen(page, 'Skriv åldern i hela år');
  // The browser itself tells of an answer that says no.
  context.complaints = [];
  assert.equal(await page.getByLabel('Ålder i år').inputValue(), 'litet');
  await accessible(page, 'age');
  await fits(page, 'age');
  await picture(page, 'visitor-age');
  await page.getByLabel('Ålder i år').fill('0');
  await page.getByRole('button', { name: 'Fortsätt' }).click();
  for (const answer of ['Nej', 'Några dagar eller kortare', 'Nej']) await page.getByRole('button', { name: answer, exact: true }).click();
  await seen(page, 'Ett barn under ett år med feber');
  const script = '<script>document.title="x"</script><img src=x onerror=alert(1)>';
  await open(page, script);
  assert.deepEqual(await texts(page), [script]);
  const second = await context.newPage();
  await second.goto(page.url());
  await write(page, 'Jag vill inte leva längre, jag tänker ta mitt liv.');
  await page.locator('#safety a[href="tel:112"]').waitFor();
  // In the other tab at once, and in sight whatever is said after it.
  const near = (tab) => tab.locator('#calls a[href="tel:112"]').evaluate((link) => {
    const box = link.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && document.elementFromPoint(box.left + 4, box.top + 4)?.closest('a') === link;
  });
  for (const tab of [second, page]) {
    await tab.locator('#calls a[href="tel:112"]').waitFor();
    for (let n = 0; n < 4; n += 1) {
      await write(tab, `rad ${n} ${tab === page}`);
      await sent(tab, `rad ${n} ${tab === page}`);
    }
    await tab.evaluate(() => scrollTo(0, document.body.scrollHeight));
    assert.ok(await near(tab), 'the numbers are in sight');
  }
  await picture(second, 'visitor-danger-second-tab');
  await second.locator('#calls summary').click();
  await second.reload();
  await second.locator('#calls:not([open])').waitFor();
  await second.close();
  await accessible(page, 'danger');
  await fits(page, 'danger');
  await picture(page, 'visitor-danger');
  await page.reload();
  await page.locator('#safety a[href="tel:112"]').waitFor();
  for (const path of ['/find?q=', '/return?x=', '/e/demo-open/start?q=']) {
    await page.goto(path + encodeURIComponent(script));
    assert.notEqual(await page.title(), 'x');
  }
  assert.deepEqual(context.complaints, []);
  await context.close();
});

test('without script: open, write, rate', async () => {
  const context = await person(browser, suite, { javaScriptEnabled: false });
  const page = await context.newPage();
  await open(page, 'utan skript', undefined, 'Sår', []);
  await write(page, 'och en till');
  await page.getByText('och en till').waitFor();
  assert.deepEqual(await texts(page), ['utan skript', 'och en till']);
  // Answers come into a frame by themselves, and what is half written stays.
  const news = page.frameLocator('iframe.news');
  await news.getByText('Inga nya svar än').waitFor();
  await picture(page, 'visitor-without-script');
  const id = new URL(page.url()).pathname.split('/').at(-1);
  const room = await person(browser, suite);
  const siv = await Worker.signIn(suite, room, 'Siv Provlund');
  await siv.take(id);
  await page.getByLabel('Skriv ett meddelande').fill('halvt skrivet');
  await siv.say(id, 'Hej, här är jag');
  await news.getByText('Hej, här är jag').waitFor();
  assert.equal(await page.getByLabel('Skriv ett meddelande').inputValue(), 'halvt skrivet');
  await picture(page, 'visitor-without-script-answered');
  await news.getByRole('link', { name: 'Sluta uppdatera' }).click();
  await news.getByText('uppdateras inte längre').waitFor();
  await news.getByRole('link', { name: 'Visa dem i samtalet' }).click();
  await page.locator('[role=log] .bubble', { hasText: 'Hej, här är jag' }).waitFor();
  await siv.close(id);
  await room.close();
  await page.getByRole('link', { name: 'Visa nya svar' }).click();
  await seen(page, 'Innan du går');
  await picture(page, 'visitor-closed');
  await page.goto('/e/demo-open/start');
  await page.getByRole('button', { name: 'Mig själv' }).click();
  await page.getByLabel('Sök bland orsakerna').fill('forkyl');
  await page.getByRole('button', { name: 'Sök', exact: true }).click();
  assert.equal(await page.locator('.option').count(), 1);
  await context.close();
});

test('another device comes back by the words, and the button leaves nothing behind', async () => {
  const first = await person(browser, suite);
  const page = await first.newPage();
  const phrase = await open(page, 'hemligt');
  const other = await person(browser, suite, phone);
  const there = await other.newPage();
  // What was chosen before a conversation stands in the history, as an address.
  await there.goto('/e/demo-open/start');
  for (const answer of ['Mig själv', 'Sår']) await there.getByRole('button', { name: answer, exact: true }).click();
  await seen(there, 'Det gäller: Sår');
  const chosen = there.url();
  await there.goto('/return');
  await there.getByLabel('Dina ord').fill('fel ord helt och hållet');
  await there.getByRole('button', { name: 'Till samtalet' }).click();
  await seen(there, 'Vi hittar inget samtal');
  await accessible(there, 'wrong words');
  await there.getByLabel('Dina ord').fill(phrase.toUpperCase());
  await there.getByRole('button', { name: 'Till samtalet' }).click();
  await seen(there, 'hemligt');
  await there.getByLabel('Skriv ett meddelande').fill('halvt');
  const chat = there.url();
  const away = there.waitForRequest(ELSEWHERE);
  const landed = there.waitForEvent('framenavigated', (frame) => frame.url().startsWith('chrome-error:'));
  await there.keyboard.press('Escape');
  await there.keyboard.press('Escape');
  await Promise.all([away, landed]);
  assert.deepEqual((await other.cookies(suite.base)).filter((cookie) => /visitor|language|after/.test(cookie.name)), []);
  assert.equal((await there.goto(chat)).status(), 404);
  assert.equal(await there.evaluate(() => sessionStorage.length), 0);
  // To this browser the address says nothing any more.
  await there.goto(chosen);
  assert.equal(new URL(there.url()).pathname, '/e/demo-open');
  assert.ok(!(await there.content()).includes('Sår'));
  await first.close();
  await other.close();
});

test('by keyboard alone, and at 200 and 400 %', async () => {
  const context = await person(browser, suite, { reducedMotion: 'reduce' });
  const page = await context.newPage();
  await open(page, 'tangentbord');
  await page.getByLabel('Skriv ett meddelande').focus();
  await page.keyboard.type('bara tangenter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await sent(page, 'bara tangenter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text', 'one goes on writing');
  await page.keyboard.type('med ctrl');
  await page.keyboard.press('Control+Enter');
  await sent(page, 'med ctrl');
  for (const width of [640, 320]) {
    await page.setViewportSize({ width, height: 500 });
    await fits(page, `chat at ${width}`);
    await picture(page, `visitor-chat-${width}`);
  }
  await page.goto('/e/vc-havet');
  await fits(page, 'entry at 320');
  await context.close();
});

test('a visitor and a nurse, from the queue to the rating', async () => {
  const context = await person(browser, suite, phone);
  const page = await context.newPage();
  // For a nurse, as Siv is.
  await open(page, 'Hej, jag har ett sår på benet', undefined, 'Sår', []);
  const id = page.url().split('/').at(-1);
  await page.locator('.standing.waiting').waitFor();
  const room = await person(browser, suite);
  const siv = await Worker.signIn(suite, room, 'Siv Provlund');
  await page.locator('#give-up').waitFor();
  await siv.take(id);
  await page.locator('.standing.active').waitFor();
  await seen(page, 'svarar dig');
  // Nobody leaves the queue any more, and a time that is booked is on the screen at once.
  await page.locator('#give-up').waitFor({ state: 'hidden' });
  const desk = await room.newPage();
  await desk.goto(`/staff/c/${id}/book`);
  await desk.locator('button.time').first().click();
  await page.locator('#bookings').getByText('Avboka', { exact: true }).click();
  await page.getByRole('button', { name: 'Ja, avboka' }).waitFor();
  await accessible(page, 'a booked time');
  await page.locator('#bookings summary').click();
  await siv.typing(id);
  await seen(page, 'Någon skriver');
  await siv.say(id, 'Hej! <b>Hur</b> länge har du haft det?');
  await seen(page, '<b>Hur</b> länge');
  await write(page, 'I två veckor.');
  await sent(page, 'I två veckor');
  await page.getByText('Berätta vem du är').click();
  await page.getByLabel('Ditt svar').fill('Kajsa Påhittad');
  await page.getByRole('button', { name: 'Berätta det' }).click();
  await seen(page, 'Du har berättat något om vem du är');
  await accessible(page, 'conversation');
  await picture(page, 'visitor-conversation');
  await siv.close(id);
  await seen(page, 'Innan du går');
  await accessible(page, 'closed');
  await fits(page, 'closed');
  await picture(page, 'visitor-ended');
  await page.getByRole('radio', { name: '4' }).check();
  await page.getByLabel('Vill du berätta mer?').fill('Bra hjälp.');
  await page.getByRole('button', { name: 'Skicka betyget' }).click();
  await seen(page, '4 av 5');
  const copy = await (await context.request.get(`${page.url()}/copy/data`)).json();
  assert.match(JSON.stringify(copy), /I två veckor/);
  await page.getByRole('button', { name: 'Öppna samtalet igen' }).click();
  await page.getByLabel('Skriv ett meddelande').waitFor();
  assert.deepEqual(context.complaints, []);
  await room.close();
  await context.close();
});

test('the widget on somebody else\'s site', async () => {
  // Another site to a browser: localhost and 127.0.0.1 have nothing in common.
  const pages = suite.base.replace('127.0.0.1', 'localhost');
  hostPage = `<!doctype html><html lang="sv"><title>Kliniken</title><h1>Kliniken</h1><script src="${pages}/widget.js" data-entry="demo-open" data-lang="sv" async></script></html>`;
  const context = await person(browser, suite);
  const page = await context.newPage();
  await page.goto(hosted);
  // The button is in a closed shadow: by keyboard, as everybody can.
  await page.waitForFunction(() => document.body.lastElementChild?.tagName === 'DIV');
  const attached = page.waitForEvent('frameattached');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const frame = await attached;
  await frame.getByRole('link', { name: 'Börja chatta' }).click();
  await frame.getByRole('button', { name: 'Mig själv' }).click();
  await frame.getByRole('button', { name: 'Förnya recept' }).click();
  await frame.getByLabel('Ditt första meddelande').fill('från en annan sajt');
  await frame.getByRole('button', { name: /^Skicka/ }).click();
  await frame.getByLabel('Skriv ett meddelande').fill('och en rad till');
  await frame.getByRole('button', { name: 'Skicka', exact: true }).click();
  await frame.locator('[role=log] .bubble', { hasText: 'och en rad till' }).locator('.state', { hasText: 'Skickat' }).waitFor();
  await picture(page, 'visitor-widget');
  // The site that frames it keeps and learns nothing.
  assert.equal(await page.evaluate(() => document.cookie + localStorage.length + sessionStorage.length), '00');
  assert.ok(!(await page.content()).includes('en rad till'));
  const framed = (await context.cookies()).filter((cookie) => cookie.name.includes('framed'));
  assert.ok(framed.length > 0 && framed.every((cookie) => cookie.secure && cookie.sameSite === 'None'), JSON.stringify(framed));
  await context.close();
});

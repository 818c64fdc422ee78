// What goes with a conversation and beyond it: files, a video meeting, a referral, another organisation, and what comes after.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Suite, accessible, fits, launch, person, phone, picture } from './support.mjs';
import { come } from './visitor.mjs';
import { Worker } from './worker.mjs';

let suite, browser;
before(async () => {
  suite = await Suite.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await suite?.stop();
});

/** A visitor on a phone and Siv at her desk, both in the same conversation. */
async function both(text, options = {}) {
  const visitor = await come(suite, text);
  const context = await person(browser, suite, { ...phone, ...options });
  await context.addCookies([{ name: 'samtal-visitor', value: `${visitor.id}~${visitor.token}`, url: suite.base }]);
  const desk = await person(browser, suite);
  const siv = await Worker.signIn(suite, desk, 'Siv Provlund');
  await siv.take(visitor.id);
  const [page, work] = [await context.newPage(), await desk.newPage()];
  await page.goto(`/c/${visitor.id}`);
  await work.goto(`/staff/c/${visitor.id}`);
  await work.locator('#log .bubble').first().waitFor();
  return { ...visitor, context, desk, siv, page, work, home: `/c/${visitor.id}` };
}
const leave = async ({ context, desk, siv, id }, complaints = []) => {
  await siv.close(id).catch(() => {});
  for (const one of [context, desk]) {
    assert.deepEqual(one.complaints.filter((told) => !complaints.some((known) => told.includes(known))), [], 'the page complains about nothing');
    await one.close();
  }
};
/** A photo as a camera makes it: with the place where it was taken. */
async function photo(page) {
  const base64 = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1200, height: 900 });
    const paint = canvas.getContext('2d');
    for (let n = 0; n < 60; n++) {
      paint.fillStyle = `hsl(${n * 6} 60% 60%)`;
      paint.fillRect(n * 20, 0, 20, 900);
    }
    return canvas.toDataURL('image/jpeg').split(',')[1];
  });
  const plain = Buffer.from(base64, 'base64');
  const secret = Buffer.from('Exif\0\0GPS 57.7089 N 11.9746 E');
  const block = Buffer.concat([Buffer.from([0xff, 0xe1, 0, secret.length + 2]), secret]);
  return Buffer.concat([plain.subarray(0, 2), block, plain.subarray(2)]);
}
const stored = () => readFileSync(`${suite.data}/data/intake.db`).length;
const pick = (page, ...files) => page.locator('#files').setInputFiles(files.map(([name, mimeType, buffer]) => ({ name, mimeType, buffer })));
const sendOff = (page) => page.getByRole('button', { name: 'Skicka', exact: true }).click();
const files = (page) => page.locator('[role=log] .files li');

test('a picture and a document go to the other side, safely, and what may not go is refused in words', async () => {
  const it = await both('Jag har fått utslag');
  const { page, work, home, id } = it;
  await accessible(page, 'the field for files');
  await pick(page, ['utslag <b>arm.jpg', 'image/jpeg', await photo(page)], ['svar "1".pdf', 'application/pdf', Buffer.from('%PDF-1.7 hello')]);
  await page.getByLabel('Skriv ett meddelande').fill('Så här ser det ut');
  await picture(page, 'visitor-file-chosen-phone');
  await accessible(page, 'chosen files');
  await sendOff(page);
  await files(page).nth(1).waitFor();
  assert.equal(await page.locator('#outbox li').count(), 0, 'sent, and nothing of it is still on its way');
  assert.equal(await page.locator('[role=log] .bubble.mine', { hasText: 'Så här ser det ut' }).locator('.state').textContent(), 'Skickat');
  // The other side sees it at once: the picture itself, with a word for those who do not see it, and the document as a card.
  const shown = work.locator('#log img');
  await shown.waitFor();
  assert.equal(await shown.getAttribute('alt'), 'Bild: utslag <b>arm.jpg');
  await work.waitForFunction(() => document.querySelector('#log img').naturalWidth === 1200);
  assert.match(await work.locator('#log .document').textContent(), /svar "1".pdf\s*PDF, 1 kB/);
  for (const [one, name] of [[page, 'visitor-files-phone'], [work, 'staff-files-desktop']]) {
    await accessible(one, name);
    await fits(one, name);
    await picture(one, name);
  }
  // Whatever it holds, it is confined, and nobody else's browser gets it.
  const [image, document] = [await page.locator('[role=log] img').getAttribute('src'), await page.locator('[role=log] .document').getAttribute('href')];
  for (const [address, how] of [[image, 'inline'], [document, 'attachment'], [await shown.getAttribute('src'), 'inline']]) {
    const answer = await (address.startsWith('/staff') ? work : page).request.get(address);
    const headers = answer.headers();
    assert.equal(answer.status(), 200);
    assert.match(headers['content-disposition'], new RegExp(`^${how}; filename\\*=UTF-8''`));
    assert.equal(headers['content-security-policy'], "default-src 'none'; sandbox; frame-ancestors 'none'");
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.ok(!(await answer.body()).includes('GPS'), 'where it was taken goes nowhere');
  }
  assert.equal((await page.request.get(document.replace('/save', '/picture'))).status(), 404, 'only pictures are shown');
  const stranger = await person(browser, suite);
  assert.equal((await stranger.request.get(image)).status(), 404);
  await stranger.close();
  await page.locator('[role=log] .picture').click();
  await page.getByRole('link', { name: 'Tillbaka till samtalet' }).waitFor();
  await page.waitForFunction(() => document.querySelector('main img').naturalWidth === 1200);
  await accessible(page, 'a picture at its full size');
  await picture(page, 'visitor-picture-phone');
  await page.getByRole('link', { name: 'Tillbaka till samtalet' }).click();

  // Refused before it leaves, and refused by what it is; the text is kept, and what follows goes through.
  await pick(page, ['stor.png', 'image/png', Buffer.alloc(10 * 1024 * 1024 + 1)], ['sida.html', 'text/html', Buffer.from('<script>')]);
  assert.match(await page.locator('#files-refused').textContent(), /stor.png är för stor.*sida.html går inte att skicka/);
  await pick(page, ['bild.jpg', 'image/jpeg', Buffer.from('<svg onload=alert(1)>')]);
  await page.getByLabel('Skriv ett meddelande').fill('Och den här');
  await sendOff(page);
  const refused = page.locator('#outbox li');
  await refused.getByText('bild.jpg går inte att skicka').waitFor();
  await picture(page, 'visitor-file-refused-phone');
  await accessible(page, 'a refused file');
  await page.getByLabel('Skriv ett meddelande').fill('Då skriver jag');
  await sendOff(page);
  await page.locator('[role=log] .bubble', { hasText: 'Då skriver jag' }).waitFor();
  await refused.getByRole('button', { name: 'Skicka inte' }).click();
  assert.equal(await page.getByLabel('Skriv ett meddelande').inputValue(), 'Och den här', 'what was written with it can be written again');
  // And back from staff.
  await pick(work, ['råd.txt', 'text/plain', Buffer.from('Smörj två gånger om dagen')]);
  await work.getByRole('button', { name: 'Skicka', exact: true }).click();
  await page.locator('[role=log] .document', { hasText: 'råd.txt' }).waitFor();
  assert.equal(await work.locator('#pending li').count(), 0);
  assert.equal(await work.locator('#log .bubble', { hasText: 'råd.txt' }).count(), 1);

  // Cut off in the middle of it: it failed, and goes once when there is a connection.
  await it.context.setOffline(true);
  await pick(page, ['sen.png', 'image/png', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')]);
  await sendOff(page);
  await page.locator('#outbox .failed').waitFor();
  await it.context.setOffline(false);
  await page.locator('[role=log] img[alt="Bild: sen.png"]').waitFor();
  await page.reload();
  assert.equal(await page.locator('[role=log] img[alt="Bild: sen.png"]').count(), 1, 'once');

  // Not from elsewhere, not without the page's own token, not another's conversation, not too much: nothing of it is stored.
  const token = await page.locator('input[name=form_token]').first().inputValue();
  const multipart = (extra = {}) => ({ form_token: token, client_id: 'hostile', text: 'fientlig', file: { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('fientlig') }, ...extra });
  const post = (fields, headers = {}, address = `${home}/file`) => page.request.post(address, { headers: { origin: suite.base, ...headers }, multipart: fields, maxRedirects: 0 });
  assert.equal((await post(multipart(), { origin: 'https://elsewhere.invalid' })).status(), 403);
  assert.equal((await post(multipart({ form_token: 'x' }))).status(), 403);
  assert.equal((await post({ text: 'fientlig', form_token: token })).status(), 403, 'the token comes first');
  assert.equal((await post(multipart(), {}, '/sign-out')).status(), 415);
  assert.equal((await post(multipart(), {}, home.replace(/.{4}$/, '0000') + '/file')).status(), 404);
  const large = await post(multipart({ text: '', file: { name: 'stor.txt', mimeType: 'text/plain', buffer: Buffer.alloc(11 * 1024 * 1024, 'a') } }), { accept: 'application/json' });
  assert.deepEqual([large.status(), (await large.json()).said], [422, 'stor.txt är för stor. Välj en mindre fil.']);
  await page.reload();
  assert.ok(!(await page.locator('[role=log]').textContent()).includes('fientlig'));
  assert.ok(stored() > 0 && id);
  await leave(it, ['422', 'ERR_INTERNET_DISCONNECTED', '404', '403']);
});

test('without a script a file goes with the text, and a refusal keeps the text', async () => {
  const it = await both('Utan skript', { javaScriptEnabled: false });
  const { page } = it;
  await pick(page, ['prov.pdf', 'application/pdf', Buffer.from('%PDF-1.4')]);
  await page.getByLabel('Skriv ett meddelande').fill('Mina provsvar');
  await sendOff(page);
  await page.locator('[role=log] .bubble', { hasText: 'Mina provsvar' }).locator('.document', { hasText: 'prov.pdf' }).waitFor();
  await pick(page, ['prov.pdf', 'application/pdf', Buffer.from('MZ no pdf at all')]);
  await page.getByLabel('Skriv ett meddelande').fill('Och dessa');
  await sendOff(page);
  await page.getByRole('alert').getByText('Innehållet i prov.pdf är något annat').waitFor();
  assert.equal(await page.getByLabel('Skriv ett meddelande').inputValue(), 'Och dessa');
  await picture(page, 'visitor-file-noscript-phone');
  await page.getByLabel('Skriv ett meddelande').fill('Bara text');
  await sendOff(page);
  await page.locator('[role=log] .bubble', { hasText: 'Bara text' }).waitFor();
  await leave(it, ['422']);
});

test('a video meeting and a referral are cards; what came of it is told by the code; then times, a rating, a copy, and open again', async () => {
  const it = await both('Jag vill sluta röka');
  const { page, work, siv, id } = it;
  await work.getByRole('button', { name: 'Skicka länk till videomöte' }).click();
  const meeting = page.locator('[role=log] .card', { hasText: 'Videomöte' });
  assert.match(await meeting.getByRole('link').getAttribute('href'), /^https:\/\/meet.example\//);
  await siv.call('intake.v1.ReferralService/ReferCase', { 2: id, 3: 'quit-smoking' });
  const card = page.locator('[role=log] .card', { hasText: 'Tobaksavvänjning' });
  await card.waitFor();
  assert.equal(await card.getByRole('link', { name: /^Ring/ }).getAttribute('href'), 'tel:0101234567');
  const code = await card.locator('.code strong').textContent();
  await accessible(page, 'cards');
  await picture(page, 'visitor-cards-phone');
  await card.getByRole('button', { name: 'Berätta hur det gick' }).click();
  assert.equal(new URL(page.url()).search, '', 'the code is in no address');
  assert.equal(await page.getByLabel('Kod').inputValue(), code);
  await accessible(page, 'telling how it went');
  await picture(page, 'visitor-arrived-phone');
  await page.getByLabel('Kod').fill('22222-22222');
  await page.getByLabel('Det blev ett besök').check();
  await page.getByRole('button', { name: 'Skicka svaret' }).click();
  await page.getByText('Den koden känner vi inte igen').waitFor();
  await page.getByLabel('Kod').fill(code.toLowerCase().replace('-', ' '));
  await page.getByLabel('Det blev ett besök').check();
  await page.getByRole('button', { name: 'Skicka svaret' }).click();
  await page.getByRole('heading', { name: 'Tack för svaret' }).waitFor();
  await work.reload();
  await work.locator('#referrals', { hasText: 'Kom dit' }).waitFor();
  await picture(work, 'staff-referral-desktop');
  await accessible(work, 'a referral that arrived');

  await work.goto(`/staff/c/${id}/book`);
  await work.locator('button.time').first().click();
  await work.getByText('Tiden är bokad').first().waitFor();
  await page.goto(it.home);
  await page.locator('#bookings').waitFor();
  const ics = await page.request.get(await page.getByRole('link', { name: /kalender/i }).getAttribute('href'));
  assert.match(await ics.text(), /BEGIN:VCALENDAR[\s\S]*DTSTART:\d{8}T\d{6}Z/);
  await picture(page, 'visitor-booked-phone');
  await siv.close(id);
  await page.getByRole('group', { name: 'Hur var det?' }).or(page.locator('.rating')).first().waitFor();
  await fits(page, 'after a case');
  await accessible(page, 'after a case');
  await picture(page, 'visitor-after-phone');
  const copy = JSON.parse(await (await page.request.get(`${it.home}/copy/data`)).text());
  assert.equal(copy.format, 'samtal.case.v1');
  await page.locator('.rating input').nth(1).check({ force: true });
  await page.getByLabel('Vill du säga mer?').or(page.locator('#words')).first().fill('Jag orkar inte leva längre');
  await page.locator('form[action$="/rate"] button').click();
  await page.locator('.safety .call').first().waitFor();
  await picture(page, 'visitor-rated-danger-phone');
  await page.goto(it.home);
  await page.getByRole('button', { name: 'Öppna samtalet igen' }).click();
  await page.getByLabel('Skriv ett meddelande').waitFor();
  // Open again, the case is in its queue and no longer Siv's.
  await leave(it, ['404', '422']);
});

test('on to another organisation, after a yes and with nothing but the agreed words', async () => {
  const it = await both('HEMLIGT-4711 om mig');
  const { page, work } = it;
  const words = 'Behöver prata om <b>spel</b> & pengar';
  /** Siv asks the visitor, on pages that hold nothing of the other organisation's but its doors. */
  const ask = async () => {
    await work.goto(`/staff/c/${it.id}/pass-on?door=vaga-fraga`);
    await work.getByLabel('Varför hen kommer dit').selectOption({ index: 1 });
    await work.getByLabel('Text som lämnas vidare').fill(words);
  };
  const send = async () => {
    await work.getByRole('button', { name: 'Fråga besökaren' }).click();
    await work.locator('#pass-on', { hasText: 'Väntar på besökarens svar' }).waitFor();
  };
  await work.getByRole('group').filter({ hasText: 'Till en annan organisation' }).locator('summary').click();
  await work.getByRole('link', { name: 'Föreslå en annan organisation' }).click();
  await accessible(work, 'choosing another organisation');
  await picture(work, 'staff-pass-on-choose-desktop');
  await work.getByRole('link', { name: /Våga fråga/ }).click();
  await ask();
  await accessible(work, 'what is passed on');
  await picture(work, 'staff-pass-on-desktop');
  await send();
  await accessible(work, 'a visitor who was asked');
  await picture(work, 'staff-pass-on-asked-desktop');
  // It shows without a reload, and can be read in full.
  const asked = page.locator('#transfer');
  await asked.getByText(words).waitFor();
  await accessible(page, 'the question');
  await fits(page, 'the question');
  await picture(page, 'visitor-transfer-phone');
  // A no, without script: everything stays as it is, and the worker reads it without a reload.
  const plain = await person(browser, suite, { ...phone, javaScriptEnabled: false });
  await plain.addCookies([{ name: 'samtal-visitor', value: `${it.id}~${it.token}`, url: suite.base }]);
  const still = await plain.newPage();
  await still.goto(it.home);
  await still.getByRole('button', { name: 'Nej, stanna här' }).click();
  await still.locator('[role=log]', { hasText: 'Du sa nej' }).waitFor();
  await plain.close();
  await work.locator('#pass-on', { hasText: 'Besökaren sa nej' }).waitFor();
  await work.locator('#log', { hasText: 'Besökaren sa nej till att gå vidare till' }).waitFor();
  await page.locator('#transfer:empty').waitFor({ state: 'attached' });
  await picture(work, 'staff-pass-on-declined-desktop');
  // Taken back: the question goes away by itself.
  await ask();
  await send();
  await asked.getByText(words).waitFor();
  await work.getByRole('button', { name: 'Ta tillbaka förslaget' }).click();
  await page.locator('#transfer:empty').waitFor({ state: 'attached' });
  // A yes: on the same screen to the words for coming back there, and on.
  await ask();
  await send();
  await asked.getByRole('button', { name: 'Ja, gå vidare dit' }).click();
  await page.waitForURL(/\/welcome/);
  await picture(page, 'visitor-transferred-welcome-phone');
  await page.goto(page.url().replace(/\/welcome.*/, ''));
  assert.ok(!page.url().includes(it.id));
  await page.locator('[role=log] .bubble', { hasText: words }).waitFor();
  assert.ok(!(await page.locator('main').textContent()).includes('HEMLIGT'));
  await accessible(page, 'the conversation there');
  await picture(page, 'visitor-transferred-phone');
  await work.getByText('Gick vidare till en annan organisation').first().waitFor();
  await picture(work, 'staff-passed-on-desktop');
  // Whoever comes back to the conversation that ended here is led on, after the same words.
  await page.goto(it.home);
  await fits(page, 'where it ended');
  await accessible(page, 'where it ended');
  await picture(page, 'visitor-went-on-phone');
  await page.getByRole('button', { name: 'Gå till samtalet där' }).click();
  await page.waitForURL(/\/welcome/);
  await leave(it);
});

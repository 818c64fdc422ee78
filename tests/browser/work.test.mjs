// What staff do with a case beyond answering: ready-made texts, earlier contacts, cards, handing on, the end of a shift.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { arrive, go, good, leave, signIn } from './staff.mjs';
import { Suite, accessible, launch, picture } from './support.mjs';
import { come } from './visitor.mjs';

let suite, browser;
before(async () => {
  suite = await Suite.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await suite?.stop();
});
const staff = (name, options) => signIn(browser, suite, name, options);

/** A case for somebody whom the worker knows. */
async function opened(page, text, { ref = '', reason = 'rash' } = {}) {
  await page.goto('/staff/new/demo-open');
  await page.locator('#reason').selectOption(reason);
  await page.getByLabel('Namn').fill('Elsa Provpatient');
  await page.getByLabel('Vad det gäller').fill(text);
  await page.getByLabel('Chatt').check();
  if (ref) {
    await page.getByLabel('Jag har kontrollerat vem det är').check();
    await page.getByRole('button', { name: 'Öppna ärendet' }).click();
    await page.getByText('Skriv personens id i journalen').waitFor();
    await page.locator('#external_ref').fill(ref);
  }
  await page.getByRole('button', { name: 'Öppna ärendet' }).click();
  await page.waitForURL(/\/staff\/c\//);
  await page.locator('#text').waitFor();
  return page.url().split('/c/')[1];
}

test('ready-made texts by keyboard, a card from the directory, earlier contacts for a reason', async () => {
  const siv = await staff(/Siv Provlund/);
  const before = await opened(siv, 'Fick utslag av en salva', { ref: 'journal-17' });
  await opened(siv, 'Utslagen är tillbaka', { ref: 'journal-17' });
  const field = siv.locator('#text');

  // A slash in the empty field; a few letters without their dots; Enter.
  await field.press('/');
  await siv.locator('#reply-find').waitFor();
  await siv.keyboard.type('halsning');
  assert.equal(await siv.locator('#replies li:visible').count(), 1);
  await accessible(siv, 'ready-made texts');
  await picture(siv, 'staff-replies-desktop');
  await siv.keyboard.press('Enter');
  const hello = 'Hej Elsa Provpatient! Jag heter Siv och arbetar på Vårdcentralen Havet. Berätta gärna mer.';
  assert.equal(await field.inputValue(), hello);
  assert.equal(await siv.locator('#log .mine').count(), 1, 'nothing is sent by choosing');
  // By arrow, and behind what stands there.
  await siv.keyboard.press('Escape');
  await siv.keyboard.press('r');
  await siv.keyboard.type('xyz');
  await siv.getByText('Ingen mall passar.').waitFor();
  await siv.locator('#reply-find').fill('prov');
  await siv.keyboard.press('ArrowDown');
  await siv.keyboard.press('Enter');
  assert.match(await field.inputValue(), /^Hej Elsa.*mer\.\nProvtagningen på/s);
  await siv.keyboard.type(' Välkommen!');
  await siv.keyboard.press('Enter');
  await siv.locator('#log .mine', { hasText: /Hej Elsa[^]*Du behöver inte boka tid. Välkommen!/ }).waitFor();

  await siv.locator('body').press('Escape');
  await siv.keyboard.press('h');
  await siv.waitForURL(/\/refer$/);
  await good(siv, 'refer');
  await siv.keyboard.press('f');
  await siv.keyboard.type('tobak');
  assert.equal(await siv.locator('.targets li:visible').count(), 1);
  await siv.getByRole('button', { name: 'Ge kortet Tobaksavvänjning' }).click();
  await siv.getByText('Besökaren har fått kortet.').waitFor();
  await siv.locator('#log .line', { hasText: /Hänvisad till Tobaksavvänjning, kod \w{5}-\w{5}/ }).waitFor();

  assert.equal(await siv.locator('.past').count(), 0, 'nobody looks into it unasked');
  await siv.locator('body').press('Escape');
  await siv.keyboard.press('e');
  await siv.locator('#history-why').selectOption('follow_up');
  await siv.getByRole('button', { name: 'Visa kontakterna' }).click();
  await siv.locator('.past li', { hasText: before.slice(-6).toUpperCase() }).waitFor();
  assert.equal(await siv.locator('.past li').count(), 1);
  await good(siv, 'history');
  await leave(siv);
});

test('a case goes to another profession with a note, and at the end of the shift back to its queue', async () => {
  const [siv, mona] = [await staff(/Siv Provlund/), await staff(/Mona Demoström/)];
  const id = await opened(siv, 'Behöver en läkare', { reason: 'stomach' });
  await arrive(mona);
  await siv.locator('body').press('Escape');
  await siv.keyboard.press('t');
  await siv.getByLabel('Till ett yrke här').first().check();
  await siv.locator('#profession').selectOption('physician');
  await siv.locator('#hand-note').fill('Se hennes svar om medicin');
  await good(siv, 'transfer');
  // What comes meanwhile renews this part of the page: what is chosen stays, and a button that is held down is not taken away.
  const beside = await siv.context().newPage();
  await beside.goto(`/staff/c/${id}`);
  await beside.locator('#severity summary').click();
  const severity = async (choice) => {
    // Until the page has heard of it, and could have fetched itself anew.
    const heard = siv.evaluate(() => new Promise((done) => document.addEventListener('samtal:case', () => fetch(location.pathname).then(done), { once: true })).then(() => {}));
    await beside.locator('#severity-choice').selectOption(choice);
    await beside.locator('#severity-reason').fill('Mätt igen');
    await beside.locator('#severity button').click();
    await heard;
  };
  const [first, second] = await beside.locator('#severity-choice option:not([selected])').evaluateAll((all) => all.map((one) => one.value));
  await severity(first);
  await siv.locator(`#severity-choice option[value="${first}"][selected]`).waitFor({ state: 'attached' });
  assert.equal(await siv.locator('#transfer [name=way]:checked').inputValue(), 'profession');
  assert.equal(await siv.locator('#profession').inputValue(), 'physician');
  assert.equal(await siv.locator('#hand-note').inputValue(), 'Se hennes svar om medicin');
  await siv.locator('#transfer').getByRole('button', { name: 'Lämna över' }).hover();
  await siv.mouse.down();
  await severity(second);
  await beside.close();
  await siv.mouse.up();
  await siv.waitForURL('**/staff?said=handed-on*');
  await siv.getByText('Överlämnat.').waitFor();

  await mona.locator('#offers li', { hasText: id.slice(-6).toUpperCase() }).getByRole('button', { name: /Ta emot/ }).click();
  await mona.waitForURL(`**/staff/c/${id}`);
  await mona.locator('.notes li', { hasText: 'Se hennes svar om medicin' }).waitFor();
  await mona.locator('#log .line', { hasText: 'Mona, läkare' }).waitFor();

  await mona.goto('/staff/hand-over');
  await mona.locator('.ticks li').waitFor();
  assert.ok((await mona.getByRole('checkbox', { name: /^Lämna över:/ }).count()) > 0, 'each box says what it does');
  await good(mona, 'hand-over');
  await mona.locator('#note').fill('Passet är slut');
  await mona.locator('main').getByRole('button', { name: 'Lämna över' }).click();
  await mona.getByText('Överlämnat.').waitFor();
  assert.equal(await mona.locator('.ticks li').count(), 0);
  await mona.goto('/staff');
  await mona.getByText('Du tar inte emot ärenden').waitFor();
  await mona.locator('#waiting li', { hasText: id.slice(-6).toUpperCase() }).waitFor();
  await leave(siv, mona);
});

test('all of it without a script', async () => {
  const siv = await staff(/Siv Provlund/, { javaScriptEnabled: false });
  const id = await opened(siv, 'Utan skript', { reason: 'wound' });
  await siv.goto(`/staff/c/${id}/refer?find=tandv%C3%A5rd`);
  await siv.getByRole('button', { name: /Ge kortet/ }).click();
  await siv.locator('#log .line', { hasText: 'Hänvisad till Tandvården Exempel' }).waitFor();
  await siv.locator('#transfer summary').click();
  await siv.getByLabel('Till en annan mottagning').first().check();
  await siv.locator('#to-clinic').selectOption('vc-skogen');
  await siv.locator('#there').selectOption('nurse');
  await siv.locator('#transfer').getByRole('button', { name: 'Lämna över' }).click();
  await siv.getByText('Överlämnat.').waitFor();
  const other = await opened(siv, 'Ett till utan skript', { reason: 'fever' });
  await siv.goto('/staff/hand-over');
  await siv.getByLabel('Till kollega').first().check();
  await siv.locator('#worker').selectOption('olle.testberg');
  await siv.locator('main').getByRole('button', { name: 'Lämna över' }).click();
  await siv.getByText('Kollegan har fått ett erbjudande.').waitFor();
  const olle = await staff(/Olle Testberg/);
  const offer = olle.locator('#offers li', { hasText: other.slice(-6).toUpperCase() });
  await offer.waitFor();
  // Whoever asked is told that the colleague does not take it: on the worklist, at once, and in the conversation.
  const again = await staff(/Siv Provlund/);
  const mine = again.locator('#mine li', { hasText: other.slice(-6).toUpperCase() });
  await mine.getByText('Erbjudet Olle Testberg').waitFor();
  await offer.getByRole('button', { name: /Avböj/ }).click();
  await mine.getByText('Olle Testberg tog inte emot').waitFor();
  await good(again, 'turned-down');
  await again.goto(`/staff/c/${other}`);
  await again.locator('#handover', { hasText: 'Olle Testberg tog inte emot' }).waitFor();
  await good(again, 'turned-down-conversation');
  await siv.goto(`/staff/c/${other}`);
  await siv.locator('#handover', { hasText: 'Olle Testberg tog inte emot' }).waitFor();
  await leave(siv, olle, again);
});

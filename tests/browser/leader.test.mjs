// What leaders change, the region's own pages, and practice.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { arrive, good, leave, signIn } from './staff.mjs';
import { Suite, accessible, fits, launch, person, phone, picture } from './support.mjs';
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
const operator = async (options) => {
  const page = await (await person(browser, suite, options)).newPage();
  await page.goto('/');
  await page.locator('#as-region ~ form button').click();
  await page.waitForURL(/\/region$/);
  return page;
};
const MARKUP = '<script>document.title="hit"</script>';

test('a day is closed after a look at what the doors will say, and opened again', async () => {
  const [karin, anyone] = [await staff(/Karin Mallqvist/), await (await person(browser, suite)).newPage()];
  await karin.getByRole('link', { name: 'Ändra', exact: true }).click();
  await karin.getByText('Inget är ändrat').waitFor();
  await karin.getByRole('link', { name: /Stängningar/ }).click();
  const form = karin.locator('form[action$="/preview"]');
  const calendar = await form.locator('#calendar option', { hasText: 'Vårdcentralen Havet' }).first().getAttribute('value');
  const fill = async (how, hours, reason) => {
    await form.locator('#calendar').selectOption(calendar);
    await form.getByLabel(how).check();
    await form.locator('#hours').fill(hours);
    await form.locator('#reason').fill(reason);
    await form.getByRole('button', { name: 'Se vad som händer' }).click();
  };
  // Rubbish is said to be so, and what was written stays.
  await fill('Andra tider', 'efter lunch', 'Utbildning');
  await karin.getByRole('alert').getByText('Skriv tiderna så här').waitFor();
  assert.equal(await form.locator('#hours').inputValue(), 'efter lunch');
  await good(karin, 'closings');
  await fill('Stängt hela dagen', '', `Vattenläcka ${MARKUP}`);
  await karin.getByRole('heading', { name: 'Stämmer det här?' }).waitFor();
  await karin.getByText(`Vattenläcka ${MARKUP}`).first().waitFor();
  await good(karin, 'closing-preview');
  await karin.getByRole('button', { name: 'Nej, ändra' }).click();
  assert.equal(await form.locator('#reason').inputValue(), `Vattenläcka ${MARKUP}`);
  await fill('Stängt hela dagen', '', 'Vattenläcka');
  await karin.getByRole('button', { name: 'Ja, ändra dagen' }).click();
  await karin.getByText('Dagen är ändrad').waitFor();
  // Scheduling hears of it within a second.
  const says = async (shut) => {
    do await anyone.goto('/e/vc-havet');
    while (((await anyone.getByText('Vattenläcka').count()) > 0) !== shut);
  };
  await says(true);
  await karin.goto('/leader/change');
  await karin.locator('tbody tr', { hasText: 'Karin Mallqvist' }).waitFor();
  await good(karin, 'change-standing');
  await karin.goto('/leader/change/closings');
  await karin.locator('.thing', { hasText: 'Vattenläcka' }).getByRole('button', { name: /Ta bort/ }).click();
  await karin.getByText('Ändringen är tillbakatagen').waitFor();
  await says(false);
  await leave(karin, anyone);
});

test('texts, the directory and staff are changed by one leader at a time, and whatever is written is text', async () => {
  const [karin, other] = [await staff(/Karin Mallqvist/), await staff(/Karin Mallqvist/)];
  for (const page of [karin, other]) await page.goto('/leader/change/replies/item/havet-sampling');
  await karin.locator('#text-sv').fill('Provtagningen är stängd i dag.');
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.getByText('Sparat. Det gäller direkt.').waitFor();
  await good(karin, 'replies-changed');
  // Who began with the old text is shown the new one, and keeps what they wrote.
  await other.locator('#text-sv').fill(`Provtagningen flyttar ${MARKUP}`);
  await other.getByRole('button', { name: 'Spara' }).click();
  await other.getByRole('alert').getByText('Någon annan har ändrat under tiden').waitFor();
  await other.getByText('Provtagningen är stängd i dag.').waitFor();
  assert.equal(await other.locator('#text-sv').inputValue(), `Provtagningen flyttar ${MARKUP}`);
  await good(other, 'reply-meanwhile');
  await other.getByRole('button', { name: 'Spara' }).click();
  await other.locator('.thing', { hasText: `Provtagningen flyttar ${MARKUP}` }).waitFor();
  // A button of an old page does nothing.
  await karin.locator('#havet-sampling').getByRole('button', { name: /Ta tillbaka/ }).click();
  await karin.getByText('Någon annan har ändrat det under tiden. Inget är gjort').waitFor();
  await karin.locator('#havet-sampling').getByRole('button', { name: /Ta tillbaka/ }).click();
  await karin.getByText('Ändringen är tillbakatagen').waitFor();

  await karin.goto('/leader/change/referrals/new');
  await karin.locator('#name-sv').fill('Fysiska gruppen');
  await karin.locator('#name-en').fill('The exercise group');
  await karin.locator('#url').fill('javascript:alert(1)');
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.getByText('Webbadressen ska börja med https://').waitFor();
  await karin.locator('#url').fill('https://grupp.example');
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.locator('.thing', { hasText: 'Fysiska gruppen' }).waitFor();
  await good(karin, 'referrals');

  await karin.goto('/leader/change/people');
  assert.equal(await karin.locator('.thing', { hasText: 'Karin Mallqvist' }).getByText('Slutar').count(), 0, 'nobody ends themselves');
  await good(karin, 'people');
  await karin.getByRole('link', { name: 'Ny medarbetare' }).click();
  await karin.locator('#name').fill('Nina <b>Ny</b>');
  await karin.locator('#profession').selectOption('nurse');
  for (const box of await karin.locator('[name=clinics]').all()) await box.uncheck();
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.getByText('Välj minst en mottagning.').waitFor();
  await karin.getByLabel('Vårdcentralen Havet', { exact: true }).check();
  await karin.locator('#capacity').fill('mycket');
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.getByText('Poäng är ett tal från 1 till 1000.').waitFor();
  await good(karin, 'person');
  await karin.locator('#capacity').fill('60');
  await karin.getByRole('button', { name: 'Spara' }).click();
  const nina = karin.locator('.thing', { hasText: 'Nina <b>Ny</b>' }).first();
  await nina.waitFor();
  await nina.locator('summary').click();
  await nina.getByRole('button', { name: 'Slutar' }).click();
  await karin.getByText('Ändringen är tillbakatagen').waitFor();
  assert.equal(await karin.locator('.thing', { hasText: 'Nina' }).count(), 0);
  await karin.locator('[id="hugo.modellgren"]').locator('summary').click();
  await karin.locator('[id="hugo.modellgren"]').getByRole('button', { name: 'Slutar' }).click();
  await karin.getByText('Borttaget.').waitFor();
  await karin.locator('[id="hugo.modellgren"]').getByRole('button', { name: 'Lägg tillbaka' }).click();
  await karin.getByText('Ändringen är tillbakatagen').waitFor();
  await leave(karin, other);
});

test('a case that is stuck is sent on with a reason, which stands in its explanation', async () => {
  const [karin, mona] = [await staff(/Karin Mallqvist/), await staff(/Mona Demoström/)];
  const visitor = await come(suite, 'Väntar länge');
  await arrive(mona);
  await karin.goto(`/leader/c/${visitor.id}`);
  await karin.locator('#reason').fill(`Hon känner till det ${MARKUP}`);
  await karin.keyboard.press('Enter');
  assert.equal(new URL(karin.url()).search, '', 'Enter chooses none of the ways');
  await karin.locator('#worker').selectOption('mona.demostrom');
  await karin.locator('#rescue').getByRole('button', { name: 'Lämna över' }).click();
  await karin.getByText('Kollegan har fått ett erbjudande.').waitFor();
  await karin.locator('.decisions').getByText(`Hon känner till det ${MARKUP}`).waitFor();
  await good(karin, 'explain-rescued');
  await mona.locator('#offers li', { hasText: visitor.id.slice(-6).toUpperCase() }).getByRole('button', { name: /Ta emot/ }).click();
  await mona.waitForURL(`**/staff/c/${visitor.id}`);
  await karin.reload();
  await karin.locator('#reason').fill('Jag tar det');
  await karin.getByRole('button', { name: 'Ta ärendet själv' }).click();
  await karin.waitForURL(`**/staff/c/${visitor.id}`);
  // Whoever had it is told so, and led away from what is not theirs to read any more.
  await mona.waitForURL('**/staff?said=not-yours');
  await mona.getByText('Ärendet är inte ditt längre').waitFor();
  mona.context().complaints.length = 0;
  await leave(karin, mona);
});

test('whoever runs the region sees its doors, compares a description, applies it, and no case', async () => {
  const [page, karin] = [await operator(), await staff(/Karin Mallqvist/)];
  await page.getByRole('heading', { name: 'Ingångar', exact: true }).waitFor();
  await page.getByText('vc-practice').waitFor();
  await good(page, 'region-doors');
  for (const path of ['/staff', '/leader', '/leader/change', '/staff/practice']) {
    assert.equal((await page.request.get(path)).status(), 403, path);
    assert.equal((await karin.request.get('/region')).status(), 403);
  }

  await karin.goto('/leader/change/replies/item/havet-sampling');
  await karin.locator('#title-sv').fill('Provtagning i dag');
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.getByText('Sparat. Det gäller direkt.').waitFor();
  await page.goto('/region/configuration');
  await page.locator('tr', { hasText: 'Provtagning i dag' }).getByText('Karin Mallqvist').waitFor();
  await good(page, 'region-configuration');
  const answer = await page.request.get('/region/configuration/region.yaml');
  const yaml = await answer.text();
  assert.match(answer.headers()['content-disposition'], /attachment/);

  // Nothing, rubbish, a mistake: each is said with file and line, and nothing is changed.
  const compare = (one = page) => one.getByRole('button', { name: 'Granska och jämför' }).click();
  await compare();
  await page.getByRole('heading', { name: /Fel i beskrivningen/ }).waitFor();
  await page.locator('#text').fill(`region: [${MARKUP}`);
  await compare();
  await page.locator('code', { hasText: /^region\.yaml:\d+$/ }).first().waitFor();
  const upload = (text, one = page) => one.locator('#choose').setInputFiles({ name: 'ny.yaml', mimeType: 'text/yaml', buffer: Buffer.from(text) });
  await upload(yaml.replace('clinic: vc-havet', 'clinic: vc-hamnen'));
  await compare();
  await page.locator('tr', { hasText: 'ny.yaml:' }).getByText('vc-hamnen').first().waitFor();
  await good(page, 'region-found');
  // The same is the same.
  await upload(yaml);
  await compare();
  await page.getByText('beskrivningen är den som gäller').waitFor();
  const changed = yaml.replace('name: "Vårdcentralen Havet"', 'name: "Vårdcentralen Hamnen"');
  const beside = await page.context().newPage();
  for (const one of [beside, page]) {
    await one.goto('/region/configuration');
    await upload(changed, one);
    await compare(one);
  }
  await page.getByRole('heading', { name: 'Vad som skulle ändras' }).waitFor();
  await page.locator('tr', { hasText: 'Vårdcentralen Hamnen' }).getByText('Vårdcentralen Havet').waitFor();
  await page.locator('tr', { hasText: 'Provtagning i dag' }).waitFor();
  await good(page, 'region-compared');
  await page.getByRole('button', { name: 'Tillämpa ändringarna' }).click();
  await page.getByText('Beskrivningen gäller nu i alla tjänster.').waitFor();
  await page.locator('tr', { hasText: 'Provtagning i dag' }).waitFor();
  // What was compared with something else is compared anew.
  await beside.getByRole('button', { name: 'Tillämpa ändringarna' }).click();
  await beside.getByText('Inget är gjort; jämför igen').waitFor();
  await beside.close();
  await upload(yaml);
  await compare();
  await page.getByRole('button', { name: 'Tillämpa ändringarna' }).click();
  await page.getByText('Beskrivningen gäller nu i alla tjänster.').waitFor();

  await page.goto('/region/rollout');
  await page.locator('#vc-havet').getByRole('button', { name: /Markera som klart Inställd/ }).click();
  await page.getByText('Steget är ändrat').waitFor();
  await good(page, 'region-rollout');
  await karin.goto('/leader/rollout');
  await karin.locator('#vc-havet').getByText('Regionens drift').waitFor();
  await good(karin, 'rollout');
  await leave(page, karin);
});

test('staff practise from the door to the end, marked on every screen and counted nowhere', async () => {
  const [siv, karin] = [await staff(/Siv Provlund/), await staff(/Karin Mallqvist/)];
  const cases = async () => {
    await karin.goto('/leader/report');
    return karin.locator('.figures div', { hasText: 'Ärenden' }).first().locator('dd').textContent();
  };
  const before = await cases();
  await siv.getByRole('link', { name: 'Öva', exact: true }).click();
  await siv.getByRole('button', { name: 'Börja öva' }).click();
  await siv.getByText('ÖVNING: du övar').waitFor();
  await siv.locator('.row-card', { hasText: 'Prova Samtal' }).getByRole('link', { name: /Länk till/ }).click();
  await good(siv, 'practising');
  const link = await siv.locator('#practice-address').inputValue();

  // On a phone, by the link; a stranger's try without it is no practice.
  const context = await person(browser, suite, phone);
  const visitor = await context.newPage();
  const marked = async (name) => {
    await visitor.locator('.practice-strip', { hasText: 'ÖVNING' }).waitFor();
    await accessible(visitor, name);
    await fits(visitor, name);
    await picture(visitor, `practice-${name}-phone`);
  };
  await visitor.goto('/e/vc-practice');
  await visitor.getByText('Hitta din mottagning').waitFor();
  assert.equal(await visitor.getByRole('link', { name: 'Börja chatta' }).count(), 0);
  await visitor.goto(link.replace(/.$/, ''));
  await marked('ask');
  await visitor.getByRole('button', { name: 'Öva', exact: true }).click();
  await marked('entry');
  await visitor.goto(link);
  await visitor.getByRole('button', { name: 'Öva', exact: true }).click();
  await visitor.getByRole('link', { name: 'Börja chatta' }).click();
  await marked('whom');
  await visitor.getByRole('button', { name: 'Mig själv' }).click();
  await visitor.getByRole('button', { name: 'Förkylning och halsont' }).click();
  await visitor.getByRole('button', { name: 'Nej', exact: true }).click();
  await visitor.getByRole('button', { name: 'En till fyra veckor' }).click();
  await visitor.getByLabel('Ditt första meddelande').fill('Jag övar på att vara förkyld');
  await marked('text');
  await visitor.getByRole('button', { name: /^Skicka/ }).click();
  await visitor.waitForURL(/\/c\/[^/]+$/);
  await marked('chat');
  const id = visitor.url().split('/c/')[1];

  await siv.goto('/staff');
  await siv.locator('.practice-strip').waitFor();
  const offer = siv.locator('#offers li', { hasText: id.slice(-6).toUpperCase() });
  await offer.getByText('Övning').waitFor();
  await good(siv, 'practice-desk');
  await offer.getByRole('button', { name: /Ta emot/ }).click();
  await siv.waitForURL(`**/staff/c/${id}`);
  await siv.getByText('ÖVNING: det här är inget riktigt ärende').waitFor();
  await good(siv, 'practice-conversation');
  await siv.locator('#text').fill('Drick något varmt.');
  await siv.locator('#text').press('Enter');
  await visitor.locator('.bubble', { hasText: 'Drick något varmt.' }).waitFor();
  await karin.goto('/leader');
  await karin.locator('#people').getByText('övar').waitFor();
  await karin.locator('#open tr', { hasText: id.slice(-6).toUpperCase() }).getByText('Övning').waitFor();
  await good(karin, 'practice-board');
  // A case that whoever practises opens is practice.
  await siv.goto('/staff/new/demo-open');
  await siv.getByText('ÖVNING: ärendet du öppnar blir övning.').waitFor();
  await accessible(siv, 'practice-open');
  await siv.getByLabel('Vad det gäller').fill('Övar på telefon');
  await siv.getByRole('button', { name: 'Öppna ärendet' }).click();
  await siv.waitForURL(/\/staff\/c\//);
  await siv.getByText('ÖVNING: det här är inget riktigt ärende').waitFor();

  await siv.goto('/staff/practice');
  await siv.getByRole('button', { name: 'Sluta öva' }).click();
  await siv.getByRole('button', { name: 'Börja öva' }).waitFor();
  await visitor.goto('/e/demo-open');
  await visitor.getByRole('button', { name: 'Sluta öva' }).click();
  await visitor.goto('/e/demo-open');
  await visitor.getByRole('link', { name: 'Börja chatta' }).waitFor();
  assert.equal(await visitor.locator('.practice-strip').count(), 0);
  await come(suite, 'På riktigt');
  for (;;) if (Number(await cases()) > Number(before)) break;
  assert.equal(Number(await cases()), Number(before) + 1, 'the real one, and no other');
  await leave(siv, karin);
  await context.close();
});

test('what leaders and the region do works without a script', async () => {
  const options = { javaScriptEnabled: false };
  const [karin, page] = [await staff(/Karin Mallqvist/, options), await operator(options)];
  await karin.goto('/leader/change/replies/new');
  for (const [name, text] of [['title-sv', 'Tack'], ['text-sv', 'Tack för samtalet.'], ['title-en', 'Thanks'], ['text-en', 'Thank you.']]) await karin.locator(`#${name}`).fill(text);
  await karin.getByRole('button', { name: 'Spara' }).click();
  await karin.locator('.thing', { hasText: 'Tack för samtalet.' }).waitFor();
  await page.goto('/region/configuration');
  const yaml = await (await page.request.get('/region/configuration/region.yaml')).text();
  await page.locator('#choose').setInputFiles({ name: 'ny.yaml', mimeType: 'text/yaml', buffer: Buffer.from(yaml.replaceAll('\n', '\r\n')) });
  await page.getByRole('button', { name: 'Granska och jämför' }).click();
  await page.getByText('beskrivningen är den som gäller').waitFor();
  await leave(karin, page);
});

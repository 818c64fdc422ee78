// Staff sign in with their organisation's service, or by invitation and codes by mail: an installation that is no demo, with the settings and the description as
// docs/operations/sign-in.md has them.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT, Issuer, SECRET } from './issuer.mjs';
import { Mail } from './mail.mjs';
import { Suite, accessible, desktop, fits, launch, person, phone, picture } from './support.mjs';

const known = { 'siv.provlund': 'SE-siv', 'karin.mallqvist': 'SE-karin', 'arne.exempelsson': 'SE-both', 'anna.kladdman': 'SE-both' };
const claims = (hsa, more) => ({ employeeHsaId: hsa, employment: { places: ['V', 'O'] }, roles: [], ...more });

let suite, browser, issuer, mail, folder;
before(async () => {
  mail = await Mail.start();
  issuer = await Issuer.start({
    Siv: claims('SE-siv'),
    Karin: claims('SE-karin', { roles: ['chief'] }),
    'Karin, without her role': claims('SE-karin'),
    'Arne and Anna': claims('SE-both'),
    'Arne at work': claims('SE-both', { employment: { places: ['V'] } }),
    Nobody: claims('SE-<script>alert(1)</script>'),
    'Siv, elsewhere': claims('SE-siv', { employment: { places: ['X'] } }),
  });
  folder = mkdtempSync(join(tmpdir(), 'samtal-sign-in-'));
  const at = (name) => join(folder, name);
  writeFileSync(at('secret'), SECRET);
  writeFileSync(
    at('samtal.toml'),
    `[pages.sign_in.sithskort]
label = "SITHS"
issuer = "${issuer.url}"
client_id = "${CLIENT}"
client_secret_file = "${at('secret')}"
subject = "employeeHsaId"
organisation = { claim = "/employment/places", values = { V = "vardcentralerna", O = "oppenvarden" } }
leader = { claim = "roles", values = ["chief"] }
`,
  );
  let region = readFileSync(new URL('../../docs/examples/demo.yaml', import.meta.url), 'utf8');
  for (const [id, subject] of Object.entries(known)) {
    assert.ok(region.includes(`{ id: ${id}, `), id);
    region = region.replace(`{ id: ${id}, `, `{ id: ${id}, sign_in: [{ provider: sithskort, subject: ${subject} }], `);
  }
  suite = await Suite.start({ demo: false, args: ['--config', at('samtal.toml'), '--smtp', mail.url], service: issuer.url });
  region = region.replace('    regime: care_provider\n', `    regime: care_provider\n    invitations: code\n    mail: { public_url: "${suite.base}" }\n`);
  writeFileSync(at('region.yaml'), region);
  suite.apply(at('region.yaml'));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await suite?.stop();
  await issuer?.stop();
  mail?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** In a browser of their own, through the service as `whom`, to the page that answers. */
async function through(whom, options) {
  const context = await person(browser, suite, options);
  const page = await context.newPage();
  await page.goto('/sign-in');
  await page.getByRole('link', { name: 'SITHS' }).click();
  await page.getByRole('link', { name: whom, exact: true }).click();
  return page;
}

// On a phone the name stands for screen readers only.
const is = (page, name) => page.locator('a.me', { hasText: name }).waitFor({ state: 'attached' });

const quiet = async (page) => {
  assert.deepEqual(page.context().complaints, []);
  await page.context().close();
};

test('a nurse signs in with the keyboard, sees where she is signed in, and signs out here and there', async () => {
  const context = await person(browser, suite);
  const page = await context.newPage();
  // Where she wanted to is where she comes.
  await page.goto('/staff/new');
  await page.waitForURL(/\/sign-in\?to=/);
  assert.equal(await page.locator('form.login').count(), 0, 'no demo logins outside a demo');
  const way = page.getByRole('link', { name: 'Logga in med SITHS' });
  for (let press = 0; press < 10 && !(await way.evaluate((link) => link === document.activeElement)); press += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${issuer.url}/authorize?**`);
  assert.equal(new URL(page.url()).searchParams.get('ui_locales'), 'sv');
  await page.getByRole('link', { name: 'Siv', exact: true }).click();
  await page.waitForURL(`${suite.base}/staff/new`);
  await page.goto('/staff');
  await is(page, 'Siv Provlund');
  // No script can read the session.
  assert.equal(await page.evaluate(() => document.cookie), '');
  const session = (await context.cookies()).find((cookie) => cookie.name.includes('samtal-staff'));
  assert.ok(session.httpOnly && session.sameSite !== 'None', JSON.stringify(session));

  await page.goto('/sessions');
  await page.getByText('Inloggad med: SITHS').waitFor();
  await accessible(page, 'sessions');
  await picture(page, 'sign-in-sessions-desktop');
  await page.goto('/staff');
  await page.getByRole('button', { name: 'Logga ut' }).click();
  await page.getByRole('heading', { name: 'Du är utloggad.' }).waitFor();
  await accessible(page, 'signed out');
  await picture(page, 'sign-in-out-desktop');
  await page.getByRole('link', { name: 'Logga ut från SITHS' }).click();
  await page.getByText('Signed out here.').waitFor();
  assert.deepEqual(issuer.signedOut, [true], 'the service was told whom to sign out');
  await page.getByRole('link', { name: 'Back' }).click();
  await page.getByRole('status').getByText('Du är utloggad.').waitFor();
  await page.goto('/staff');
  await page.waitForURL(/\/sign-in\?to=/);
  await quiet(page);
});

test('the sign-in page speaks four languages on a phone and a desktop, and the journey needs no script', async () => {
  const titles = { sv: 'Logga in med SITHS', nb: 'Logg inn med SITHS', nn: 'Logg inn med SITHS', en: 'Sign in with SITHS' };
  for (const [size, options] of [['phone', phone], ['desktop', {}]]) {
    const context = await person(browser, suite, options);
    const page = await context.newPage();
    for (const [language, title] of Object.entries(titles)) {
      await page.goto(`/sign-in?lang=${language}`);
      assert.equal(await page.locator('html').getAttribute('lang'), language);
      await page.getByRole('link', { name: title }).waitFor();
      await accessible(page, `sign-in in ${language}`);
      await fits(page, `sign-in in ${language}`);
      await picture(page, `sign-in-${language}-${size}`);
    }
    await quiet(page);
  }
  const page = await through('Siv', { ...phone, javaScriptEnabled: false });
  await page.waitForURL(`${suite.base}/staff`);
  await is(page, 'Siv Provlund');
  await quiet(page);
});

test('claims say for which organisation somebody comes, and whether they lead', async () => {
  let page = await through('Arne and Anna', phone);
  await page.getByRole('heading', { name: 'Var arbetar du nu?' }).waitFor();
  await accessible(page, 'the choice');
  await fits(page, 'the choice');
  await picture(page, 'sign-in-choose-phone');
  await page.getByRole('button', { name: /Arne Exempelsson/ }).click();
  await page.waitForURL(`${suite.base}/staff`);
  await is(page, 'Arne Exempelsson');
  await quiet(page);
  // With a claim for one of them there is nothing to choose.
  page = await through('Arne at work');
  await page.waitForURL(`${suite.base}/staff`);
  await is(page, 'Arne Exempelsson');
  await quiet(page);

  page = await through('Karin');
  await page.waitForURL(`${suite.base}/leader`);
  await quiet(page);
  page = await through('Karin, without her role');
  await page.waitForURL(`${suite.base}/staff`);
  assert.equal((await page.request.get('/leader')).status(), 403);
  await quiet(page);
});

test('a nurse without a service is invited by her leader and comes in, then with a code, on a phone and without a script', async () => {
  const leader = await through('Karin');
  await leader.goto('/leader/change/people');
  await leader.getByRole('link', { name: 'Så loggar personalen in' }).click();
  const card = leader.locator('li.thing', { hasText: 'Olle Testberg' });
  await card.getByText('Bjud in', { exact: false }).first().click();
  await accessible(leader, 'how the staff sign in');
  await fits(leader, 'how the staff sign in');
  await picture(leader, 'sign-in-access-desktop');
  await leader.setViewportSize(phone.viewport);
  await fits(leader, 'how the staff sign in, on a phone');
  await picture(leader, 'sign-in-access-phone');
  await leader.setViewportSize(desktop.viewport);
  await card.getByLabel('E-postadress').fill('olle@example.org');
  await card.getByRole('button', { name: 'Skicka inbjudan' }).click();
  await leader.getByRole('status').getByText('Inbjudan är på väg.').waitFor();
  const link = (await mail.number(0)).match(/^http.*\/invitation\/.*$/m)[0];

  const bare = { ...phone, javaScriptEnabled: false };
  let context = await person(browser, suite, bare);
  let page = await context.newPage();
  const shown = async (name) => {
    await fits(page, name);
    await picture(page, `sign-in-${name}-phone`);
  };
  await page.goto(link);
  await page.getByText('Olle Testberg').waitFor();
  await shown('invitation');
  await page.getByRole('button', { name: 'Tacka ja och logga in' }).click();
  await page.waitForURL(`${suite.base}/staff`);
  await is(page, 'Olle Testberg');
  await quiet(page);

  context = await person(browser, suite, bare);
  page = await context.newPage();
  await page.goto('/sign-in');
  await page.getByLabel('E-postadress').fill('Olle@Example.org');
  await page.getByRole('button', { name: 'Skicka en kod' }).click();
  const code = (await mail.number(1)).match(/^(\d{3}) (\d{3})$/m).slice(1).join('');
  await page.getByLabel('Kod', { exact: true }).fill(code === '000000' ? '111111' : '000000');
  await page.getByRole('button', { name: 'Logga in' }).click();
  await page.getByRole('alert').getByText('Koden stämmer inte.').waitFor();
  await shown('code');
  await page.getByLabel('Kod', { exact: true }).fill(code);
  await page.getByRole('button', { name: 'Logga in' }).click();
  await page.waitForURL(`${suite.base}/staff`);
  await is(page, 'Olle Testberg');
  assert.equal(await page.getByRole('button', { name: /nyckel/ }).count(), 0, 'what needs a script is not offered without');
  // Axe needs a script.
  const reader = await (await person(browser, suite, phone)).newPage();
  for (const path of ['/sign-in?code=over', new URL(link).pathname]) {
    await reader.goto(path);
    await accessible(reader, path);
    await fits(reader, path);
  }
  await picture(reader, 'sign-in-invitation-gone-phone');
  await reader.getByRole('heading', { name: 'Inbjudan gäller inte längre' }).waitFor();
  await reader.context().close();

  // With a script and a device that has passkeys he adds one, and comes in with that. Passkeys belong to names, not to numbers.
  const named = await person(browser, suite, { ...phone, baseURL: suite.base.replace('127.0.0.1', 'localhost') });
  named.complaints = [];
  const keyed = await named.newPage();
  const devtools = await named.newCDPSession(keyed);
  await devtools.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
  await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, automaticPresenceSimulation: true } });
  await keyed.goto('/sign-in');
  await keyed.getByRole('button', { name: 'Logga in med nyckel' }).click();
  await keyed.getByRole('alert').getByText('Det gick inte.').waitFor();
  await accessible(keyed, 'no passkey yet');
  await picture(keyed, 'sign-in-passkey-none-phone');
  await keyed.getByLabel('E-postadress').fill('olle@example.org');
  await keyed.getByRole('button', { name: 'Skicka en kod' }).click();
  await keyed.getByLabel('Kod', { exact: true }).fill((await mail.number(2)).match(/^\d{3} \d{3}$/m)[0]);
  await keyed.getByRole('button', { name: 'Logga in' }).click();
  await keyed.waitForURL(/\/staff$/);
  await keyed.goto('/sessions');
  await keyed.getByRole('button', { name: 'Lägg till en nyckel' }).click();
  await keyed.getByText('Tillagd').waitFor();
  await accessible(keyed, 'passkeys');
  await fits(keyed, 'passkeys');
  await picture(keyed, 'sign-in-passkeys-phone');
  await keyed.getByRole('button', { name: 'Logga ut överallt', exact: true }).click();
  await keyed.getByRole('button', { name: 'Logga in med nyckel' }).click();
  await keyed.waitForURL(/\/staff$/);
  await is(keyed, 'Olle Testberg');
  await named.close();

  // The leader takes the address away: Olle is out.
  await leader.reload();
  await card.getByText('Ta bort adressen').first().click();
  await picture(leader, 'sign-in-access-taken-desktop');
  await card.getByRole('button', { name: 'Ta bort adressen' }).click();
  await leader.getByRole('status').getByText('Adressen är borttagen').waitFor();
  await page.goto('/staff');
  await page.waitForURL(/\/sign-in\?to=/);
  await quiet(page);
  await quiet(leader);
});

test('whoever is not let in is told why, and can try again', async () => {
  const refused = async (page, title, name) => {
    await page.getByRole('heading', { name: title }).waitFor();
    await accessible(page, name);
    await fits(page, name);
    await picture(page, `sign-in-${name}-phone`);
    assert.ok(!(await page.context().cookies()).some((cookie) => cookie.name.includes('samtal-staff') && cookie.value), 'no session');
    // The browser itself notes that the page's own answer was a refusal; nothing else may be amiss.
    assert.deepEqual(page.context().complaints.filter((told) => !/status of (400|403|502)/.test(told)), []);
  };
  let page = await through('Nobody', phone);
  await refused(page, 'Du är inte registrerad här', 'unknown');
  // What came back works once: the address again, from the history or somebody's log, lets nobody in.
  await page.reload();
  await refused(page, 'Inloggningen tog för lång tid', 'again');
  await page.context().close();
  page = await through('Siv, elsewhere', phone);
  await refused(page, 'Du är inte registrerad här', 'elsewhere');
  await page.context().close();
  page = await through('Cancel', phone);
  await refused(page, 'Du loggade inte in', 'cancelled');
  await page.getByRole('link', { name: /Försök igen/ }).click();
  await page.getByRole('link', { name: 'SITHS' }).waitFor();
  await page.context().close();

  // A service that has gone away since: asked for a code, it gives none.
  const context = await person(browser, suite, phone);
  page = await context.newPage();
  await page.goto('/sign-in');
  await page.getByRole('link', { name: 'SITHS' }).click();
  await page.getByRole('link', { name: 'Siv', exact: true }).waitFor();
  const way = await page.getByRole('link', { name: 'Siv', exact: true }).getAttribute('href');
  const { location } = (await context.request.get(new URL(way, issuer.url).href, { maxRedirects: 0 })).headers();
  await issuer.stop();
  await page.goto(location);
  await refused(page, 'Inloggningstjänsten fungerar inte just nu', 'gone');
  await context.close();
});

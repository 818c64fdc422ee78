// A visitor's pages: from the door to the rating, with everything that goes wrong on a phone.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Suite, accessible, fits, launch, person, phone, picture } from './support.mjs';

let suite, browser;
before(async () => {
  suite = await Suite.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await suite?.stop();
});

/** A page's text is seen. */
const seen = (page, text) => page.getByText(text, { exact: false }).first().waitFor();

/** From the door through all questions to the words for coming back; returns them. */
async function open(page, text, look = async () => {}) {
  await page.goto('/e/demo-open');
  await look('entry');
  await page.getByRole('link', { name: 'Börja chatta' }).click();
  await look('whom');
  await page.getByRole('button', { name: 'Mig själv' }).click();
  await look('reason');
  await page.getByRole('button', { name: 'Ont i ryggen eller nacken' }).click();
  await look('question');
  await page.getByRole('button', { name: 'Nej', exact: true }).click();
  await page.getByRole('button', { name: 'En till fyra veckor' }).click();
  await look('text');
  await page.getByLabel('Ditt första meddelande').fill(text);
  await page.getByRole('button', { name: /^Skicka/ }).click();
  await page.waitForURL(/\/welcome/);
  await look('welcome');
  const phrase = await page.locator('#phrase').textContent();
  await page.getByRole('link', { name: /Jag har skrivit upp/ }).click();
  await page.waitForURL(/\/c\/[^/]+$/);
  return phrase;
}

const texts = (page) => page.locator('.conversation[role=log] .bubble .text').allTextContents();
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

// What tests of the staff's pages share: people of staff in browsers of their own, and what every page of theirs must be like.
import assert from 'node:assert/strict';
import { accessible, desktop, fits, person, phone, picture } from './support.mjs';

/** Somebody of staff with a page of their own, signed in as a newcomer would be. */
export async function signIn(browser, suite, name, options) {
  const context = await person(browser, suite, options);
  const page = await context.newPage();
  await page.goto('/');
  await page.getByRole('button', { name }).click();
  await page.waitForURL(/\/(staff|leader)$/);
  return page;
}

export const leave = async (...pages) => {
  for (const page of pages) {
    assert.deepEqual(page.context().complaints, [], 'the page complains about nothing');
    await page.context().close();
  }
};

export const arrive = async (page) => {
  await page.goto('/staff');
  const come = page.getByRole('button', { name: 'Börja ta emot' });
  if (await come.count()) await come.click();
  await page.getByText('Du tar emot ärenden').waitFor();
};
export const go = async (page) => {
  await page.goto('/staff');
  await page.getByRole('button', { name: 'Sluta ta emot' }).click();
  await page.getByText('Du tar inte emot ärenden').waitFor();
};

/** Axe, nothing that sticks out, on a desktop, at 200 % and at 400 %; and pictures for people. */
export async function good(page, name) {
  await accessible(page, name);
  await fits(page, name);
  await picture(page, `staff-${name}-desktop`);
  for (const [width, size] of [[640, '200'], [320, '400']]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page, `${name} at ${size} %`);
  }
  await accessible(page, `${name} at 400 %`);
  await page.setViewportSize(phone.viewport);
  const { height } = await page.locator('header.top').boundingBox();
  assert.ok(height < 112, `${name}: the header takes ${height} px of a phone, more than two rows`);
  await picture(page, `staff-${name}-phone`);
  await page.setViewportSize(desktop.viewport);
}

// The first page.
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

test('the first page is whole on a phone and a desktop', async () => {
  for (const [size, options] of [['phone', phone], ['desktop', {}]]) {
    const context = await person(browser, suite, options);
    const page = await context.newPage();
    const answer = await page.goto('/');
    assert.equal(answer.status(), 200);
    await accessible(page, 'the door');
    await fits(page, 'the door');
    await picture(page, `door-${size}`);
    assert.deepEqual(context.complaints, []);
    await context.close();
  }
});

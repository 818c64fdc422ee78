// Conversations side by side: each frame is a page of its own. This one hears of offers and of what the others say.
(() => {
  "use strict";
  const flag = document.getElementById("offer-flag");
  const offers = new Set();
  const show = () => {
    flag.hidden = offers.size === 0;
    samtal.count(offers.size);
  };
  for (const event of ["offered", "alert"]) {
    document.addEventListener(`samtal:${event}`, (one) => {
      if (offers.has(one.detail)) return;
      offers.add(one.detail);
      samtal.ring();
      show();
    });
  }
  document.addEventListener("samtal:offer-ended", (one) => {
    offers.delete(one.detail);
    show();
  });
})();

// The worklist and the leader's board: what changes elsewhere shows here at once.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const PARTS = (document.querySelector("[data-parts]")?.dataset.parts || "presence alerts offers mine waiting closed").split(" ");
  const renewed = () => samtal.refresh(PARTS);

  let known = new Set([...document.querySelectorAll("#offers li, #alerts li")].map((one) => one.id));
  document.addEventListener("samtal:swapped", () => {
    const now = [...document.querySelectorAll("#offers li, #alerts li")].map((one) => one.id);
    if (now.some((id) => !known.has(id))) samtal.ring();
    known = new Set(now);
    samtal.count(Number($("offers")?.dataset.count || 0));
    tick();
  });
  samtal.count(Number($("offers")?.dataset.count || 0));

  // Something that is open already comes again with each connection: only what the page does not show is news.
  for (const event of ["offered", "offer-ended", "alert"]) {
    document.addEventListener(`samtal:${event}`, (one) => {
      const shown = Boolean($(`${event === "alert" ? "alert" : "offer"}-${one.detail}`));
      if (shown === (event === "offer-ended")) renewed();
    });
  }
  document.addEventListener("samtal:turned-down", (one) => !document.querySelector(`[data-turned-down="${one.detail}"]`) && renewed());
  document.addEventListener("samtal:news", renewed);
  let lost = false;
  document.addEventListener("samtal:away", () => (lost = true));
  document.addEventListener("samtal:open", () => {
    if (lost) renewed();
    lost = false;
  });
  // Waits grow and queues that are claimed from say nothing: a look now and then, while somebody looks.
  setInterval(() => !document.hidden && renewed(), 15_000);
  document.addEventListener("visibilitychange", () => !document.hidden && renewed());

  function tick() {
    for (const offer of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.ceil((Number(offer.dataset.until) - Date.now()) / 1000));
      offer.querySelector("[data-left]").textContent = `${left} s`;
      const meter = offer.querySelector("[data-meter]");
      meter.max = Math.max(meter.max, left);
      meter.value = left;
    }
  }
  setInterval(tick, 1000);
  tick();

  const sound = $("sound");
  if (sound) {
    sound.parentElement.hidden = false;
    sound.checked = localStorage.getItem("samtal-sound") === "on";
    sound.addEventListener("change", () => {
      localStorage.setItem("samtal-sound", sound.checked ? "on" : "off");
      samtal.ring();
    });
  }
})();

// On every page of visitors: gone at once, search while one types, copy and print, and no form twice.
(() => {
  "use strict";
  const exit = document.querySelector("[data-leave]");

  function leave() {
    // First nothing is seen any more, whatever the network does.
    document.documentElement.classList.add("gone");
    document.title = "";
    try {
      sessionStorage.clear();
      history.replaceState(null, "", "/");
    } catch { /* a frame that may keep nothing */ }
    const away = () => (exit.target === "_top" ? window.top.location.replace(exit.dataset.leave) : location.replace(exit.dataset.leave));
    if (exit.target === "_top") {
      // What the frame keeps goes while the page around it leads away.
      fetch(exit.href, { redirect: "manual", keepalive: true }).catch(() => {});
      try {
        return away();
      } catch { /* a key alone does not let a frame lead its page away; then the frame leaves */ }
    }
    // The way through here takes the cookies along; who does not get through leaves all the same.
    setTimeout(away, 1200);
    location.replace(exit.href);
  }

  if (exit) {
    exit.addEventListener("click", (event) => {
      event.preventDefault();
      leave();
    });
    let last = 0;
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (event.timeStamp - last < 1000) leave();
      last = event.timeStamp;
    });
    // A page that the browser kept in memory is not shown to whoever sits there next.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("ø", "o").replaceAll("æ", "a");
  for (const form of document.querySelectorAll("form[data-filter]")) {
    const list = document.getElementById(form.dataset.filter);
    const none = document.getElementById(`${form.dataset.filter}-none`);
    const input = form.querySelector("input[name=q]");
    input.addEventListener("input", () => {
      const words = fold(input.value).split(/\s+/).filter(Boolean);
      const items = [...list.querySelectorAll(".option, .links li")];
      for (const item of items) {
        const place = item.closest(".place")?.querySelector("h2")?.textContent ?? "";
        item.hidden = !words.every((word) => fold(`${item.textContent} ${place}`).includes(word));
      }
      for (const place of list.querySelectorAll(".place")) place.hidden = !place.querySelector("li:not([hidden])");
      none.hidden = items.some((item) => !item.hidden);
    });
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      const said = document.getElementById("copied");
      said.textContent = said.dataset.said;
    });
  }
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.gone) event.preventDefault();
      form.dataset.gone = "yes";
    });
    addEventListener("pageshow", () => delete form.dataset.gone);
  }
})();

// Ready-made texts in a conversation: found by a few letters, put into the field where one writes, never sent from here. And lists that
// get shorter as one types. Without this the texts are buttons of the form and the list has a search of its own.
(() => {
  "use strict";
  const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("ø", "o").replaceAll("æ", "ae");
  /** How well it fits: its name begins with what is sought, has it, or its text has every word; 0 if not at all. */
  const fits = (name, text, sought) => {
    if (!sought) return 1;
    if (fold(name).startsWith(sought)) return 3;
    if (fold(name).includes(sought)) return 2;
    const all = fold(`${name} ${text}`);
    return sought.split(/\s+/).every((word) => all.includes(word)) ? 1 : 0;
  };

  for (const box of document.querySelectorAll("details.replies")) {
    const field = box.closest("form").elements.text;
    const find = box.querySelector("input[type=search]");
    const list = box.querySelector("ul");
    const told = box.querySelector("[role=status]");
    const items = [...list.children];
    const shown = () => [...list.children].filter((item) => !item.hidden).map((item) => item.firstElementChild);
    find.parentElement.hidden = false;

    const narrow = () => {
      const sought = fold(find.value.trim());
      const ranked = items.map((item) => [fits(item.querySelector("strong").textContent, item.querySelector("span").textContent, sought), item]);
      for (const [rank, item] of ranked) item.hidden = !rank;
      list.append(...ranked.sort((a, b) => b[0] - a[0]).map(([, item]) => item));
      told.textContent = ranked.some(([rank]) => rank) ? "" : told.dataset.none;
    };
    const back = () => {
      box.open = false;
      field.focus();
    };
    /** Where the cursor stands, as a line of its own if something stands before it. */
    const take = (text) => {
      const before = field.value.slice(0, field.selectionStart).trimEnd();
      const after = field.value.slice(field.selectionEnd);
      const start = before ? `${before}\n${text}` : text;
      field.value = start + after;
      back();
      field.setSelectionRange(start.length, start.length);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };

    box.addEventListener("toggle", () => {
      // Only once it is closed: whoever came by key is typing already.
      if (!box.open) {
        find.value = "";
        return narrow();
      }
      if (box.contains(document.activeElement) || document.activeElement === field) find.focus();
    });
    find.addEventListener("input", narrow);
    list.addEventListener("click", (event) => {
      const chosen = event.target.closest("button");
      if (!chosen) return;
      event.preventDefault();
      take(chosen.querySelector("span").textContent);
    });
    box.addEventListener("keydown", (event) => {
      const all = shown();
      const at = all.indexOf(document.activeElement);
      if (event.key === "Escape") back();
      else if (event.key === "Enter" && event.target === find) all[0] && take(all[0].querySelector("span").textContent);
      else if (event.key === "ArrowDown") (all[at + 1] ?? all.at(-1))?.focus();
      else if (event.key === "ArrowUp") (at <= 0 ? find : all[at - 1]).focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    // A slash in the empty field is the way to them from where one writes.
    field.addEventListener("keydown", (event) => {
      if (event.key !== "/" || field.value) return;
      event.preventDefault();
      box.open = true;
      find.focus();
    });
  }

  for (const find of document.querySelectorAll("[data-narrow]")) {
    const list = document.getElementById(find.dataset.narrow);
    find.addEventListener("input", () => {
      const sought = fold(find.value.trim());
      for (const item of list.querySelectorAll("[data-item]")) item.hidden = !fits("", item.textContent, sought);
      const groups = [...list.querySelectorAll("[data-group]")];
      for (const group of groups) group.hidden = !group.querySelector("[data-item]:not([hidden])");
      list.querySelector("[data-nothing]").hidden = groups.length === 0 || groups.some((group) => !group.hidden);
    });
  }
})();

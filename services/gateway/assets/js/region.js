// A file's text goes into the field that can also be pasted into; a path becomes an address that another device can open.
(() => {
  "use strict";
  for (const chooser of document.querySelectorAll("input[type=file][data-into]")) {
    chooser.closest("[data-file]").hidden = false;
    chooser.addEventListener("change", async () => {
      const [file] = chooser.files;
      if (!file) return;
      document.getElementById(chooser.dataset.into).value = await file.text();
      document.getElementById(chooser.dataset.name).value = file.name;
    });
  }
  for (const field of document.querySelectorAll("[data-absolute]")) field.value = new URL(field.value.trim(), location.origin).href;
})();

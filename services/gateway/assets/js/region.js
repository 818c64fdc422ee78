// A path becomes an address that another device can open.
(() => {
  "use strict";
  for (const field of document.querySelectorAll("[data-absolute]")) field.value = new URL(field.value.trim(), location.origin).href;
})();

// Filters apply as they are chosen; the button stays for keyboards and for browsers without scripts.
const fold = document.getElementById("fold");
// On a phone the filters would fill the first screen; they stay open where something is chosen.
if (matchMedia("(max-width: 720px)").matches && fold.dataset.asked === "0") fold.open = false;

const form = document.getElementById("filters");
// A period and days of one's own: whichever is chosen last.
const { period } = form.elements;
const days = period ? form.querySelectorAll("input[type=date]") : [];
period?.addEventListener("change", () => { for (const day of days) day.value = ""; });
for (const day of days) day.addEventListener("change", () => { period.value = ""; });
for (const field of form.querySelectorAll("select, input[type=date], input[type=checkbox]")) {
  field.addEventListener("change", () => {
    for (const other of form.querySelectorAll("select, input")) if (!other.value) other.disabled = true;
    form.submit();
  });
}
form.addEventListener("submit", () => {
  for (const other of form.querySelectorAll("select, input")) if (!other.value) other.disabled = true;
});

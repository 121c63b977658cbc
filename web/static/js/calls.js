// Filters apply as they are chosen; the button stays for keyboards and for browsers without scripts.
const form = document.getElementById("filters");
for (const field of form.querySelectorAll("select, input[type=date]")) {
  field.addEventListener("change", () => {
    for (const other of form.querySelectorAll("select, input")) if (!other.value) other.disabled = true;
    form.submit();
  });
}
form.addEventListener("submit", () => {
  for (const other of form.querySelectorAll("select, input")) if (!other.value) other.disabled = true;
});

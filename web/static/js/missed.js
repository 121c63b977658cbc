// Says when the connection is lost; what others do comes by it.
const live = document.getElementById("live");
const lost = document.getElementById("lost");

live.addEventListener("htmx:sse:after:connection", () => { lost.hidden = true; });
for (const failed of ["htmx:error", "htmx:response:error"]) live.addEventListener(failed, () => { lost.hidden = false; });
live.addEventListener("htmx:sse:error", (event) => {
  lost.hidden = false;
  if (event.detail.status === 401 || event.detail.status === 303) location.reload();
});

// Takes the secret of a link from the fragment, which no server ever sees, and sends it with what the form holds.
"use strict";
const form = document.querySelector("form");
const said = document.getElementById("said");
const button = form.querySelector("button");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// Neither the address bar nor the history keeps the secret.
history.replaceState(null, "", location.pathname);
if (token) {
  form.hidden = false;
  said.textContent = "";
} else {
  said.textContent = "The link is not whole: open it as it was printed or sent, with all that follows the #.";
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "One moment …";
  const body = { [form.dataset.token]: token };
  for (const [name, value] of new FormData(form)) {
    if (value !== "") body[name] = value;
  }
  try {
    const answer = await fetch(form.dataset.to, {
      method: "POST",
      headers: { "content-type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(body),
    });
    if (answer.ok) {
      form.hidden = true;
      said.textContent = form.dataset.done ?? "Done: you are logged in with this browser.";
      return;
    }
    const told = await answer.json();
    said.textContent = told.error.message;
  } catch {
    said.textContent = "The server did not answer. Nothing may have happened; try again.";
  }
  button.disabled = false;
});

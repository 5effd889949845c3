// Whose part of the face is whose: a drawing to click at, and a button for each part, which says it in words.

const NEXT = { "": "father", father: "mother", mother: "" };

const buttonsIn = (field) => [...field.querySelectorAll("button[data-part]")];

export function read(field) {
  const chosen = buttonsIn(field).filter((button) => button.dataset.from);
  return Object.fromEntries(chosen.map((button) => [button.dataset.part, button.dataset.from]));
}

export function write(field, parts) {
  for (const button of buttonsIn(field)) put(field, button, parts[button.dataset.part] ?? "");
}

function put(field, button, from) {
  const { part } = button.dataset;
  button.dataset.from = from;
  button.querySelector("span").textContent = from || "both";
  const drawn = field.querySelector(`svg [data-part="${part}"]`);
  if (drawn) drawn.dataset.from = from;
}

// A click at a part, or at its button, takes the next of: both, father, mother.
for (const place of document.querySelectorAll(".parts")) {
  place.addEventListener("click", ({ target }) => {
    const part = target.closest("[data-part]")?.dataset.part;
    if (!part) return;
    const button = place.querySelector(`button[data-part="${part}"]`);
    put(place, button, NEXT[button.dataset.from]);
    button.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// What the page says, beside what it is about.

const status = document.getElementById("status");

// undo: a function, where what happened can be undone.
export function say(text, undo) {
  status.classList.remove("bad");
  status.textContent = text;
  if (!undo) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = "Undo";
  button.addEventListener("click", undo, { once: true });
  status.append(" ", button);
}

// cause: the control that led to it; without one it is said below the pictures.
export function complain(text, cause) {
  const place = cause?.closest(".section")?.querySelector(".message");
  if (place) {
    place.textContent = text;
    say("");
    return;
  }
  say(text);
  status.classList.add("bad");
}

// Sentences that may matter, beside what they are about.
export function warn(list, sentences) {
  list.hidden = sentences.length === 0;
  list.replaceChildren(...sentences.map((sentence) => {
    const item = document.createElement("li");
    item.textContent = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
    return item;
  }));
}

export function hush() {
  document.querySelectorAll("#play .message:not(#count-message)").forEach((place) => { place.textContent = ""; });
}

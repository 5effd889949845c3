// The children of a couple, side by side.

const strip = document.getElementById("siblings");

// on: { pick, remove }, each called with a child.
export function draw(children, shown, on) {
  strip.hidden = children.length < 2;
  strip.replaceChildren(...children.map((child) => tile(child, child === shown, on)));
}

function tile(child, isShown, on) {
  const item = document.createElement("li");
  item.classList.toggle("late", child.late);
  const pick = button("face", `Show ${child.name}`, () => on.pick(child));
  pick.setAttribute("aria-pressed", String(isShown));
  if (child.made) {
    const image = new Image(96, 96);
    image.src = child.made.picture;
    image.alt = "";
    pick.append(image);
  }
  const name = document.createElement("span");
  name.textContent = child.name;
  name.title = child.name;
  const remove = button("remove", `Remove ${child.name}`, () => on.remove(child));
  remove.textContent = "×";
  item.append(pick, name, remove);
  return item;
}

function button(kind, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

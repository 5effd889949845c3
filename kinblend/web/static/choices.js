// The controls as one: they always show how the child on the stage is made.

import * as looks from "./looks.js";
import { complain } from "./notices.js";
import { mark } from "./sliders.js";
import * as strategies from "./strategies.js";

const play = document.getElementById("play");
const different = document.getElementById("different");

// changed: called with the control that was moved.
export function listen(changed) {
  play.addEventListener("submit", (event) => event.preventDefault());
  play.addEventListener("input", ({ target }) => {
    if (target.id === "count" || target === different) return; // these are about children to come
    if (!target.checkValidity()) {
      complain(target.validationMessage, target);
      return;
    }
    strategies.follow(target);
    looks.follow(target);
    mark(target);
    changed(target);
  });
  looks.listen(changed);
}

export const read = () => ({ ...strategies.read(), ...looks.read() });

export function write(recipe) {
  strategies.write(recipe);
  looks.write(recipe);
}

// One order at a time of a page, its progress, and what went wrong with it.

import { finished, place } from "./api.js";
import { complain, hush, say } from "./notices.js";

const progress = document.getElementById("progress");
let controller = null;

// What is under way is given up.
export function stop() { controller?.abort(); }

// An order in full, as the server answers it; nothing where another one took its place, or it was refused, which is
// said. kind: partners or trees. cause: the control that led to it. tell: words for how far it is. missing: called
// where a photograph is gone.
export async function work(kind, order, { cause, tell, missing }) {
  controller?.abort();
  const mine = (controller = new AbortController());
  hush();
  progress.hidden = false;
  progress.value = 0;
  say("Waiting for its turn…");
  const hear = (answer) => {
    if (answer.status === "queued") return say(answer.ahead ? `${answer.ahead} ahead of you…` : "Next…");
    if (answer.total) { progress.max = answer.total; progress.value = answer.done; }
    return say(tell(answer));
  };
  try {
    const done = await finished(await place(order, mine.signal, kind), hear, mine.signal);
    if (mine.signal.aborted) return null;
    say("");
    return done;
  } catch (error) {
    if (error.name === "AbortError" || mine !== controller) return null;
    if (error.status === 404) await missing();
    complain(error.message, cause);
    return null;
  } finally {
    if (mine === controller) progress.hidden = true;
  }
}

// Shows what belongs to a page with something made, and hides what belongs to one without.
export function reveal(made) {
  document.body.classList.toggle("has-child", made && document.querySelector(".child") !== null);
  document.querySelectorAll("[data-when=made]").forEach((part) => { part.hidden = !made; });
  document.querySelectorAll("[data-when=empty]").forEach((part) => { part.hidden = made; });
}

// A picture of the server's, once it is there.
export async function put(image, address) {
  const next = new Image();
  next.src = address;
  await next.decode();
  image.src = address;
  image.hidden = false;
}

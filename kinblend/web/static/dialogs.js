// Pictures in large, and everything forgotten.

import { call } from "./api.js";
import * as session from "./session.js";

const byId = (id) => document.getElementById(id);

// card: whose picture; its data-caption says what it is.
export function enlarge(card, image = card.querySelector("img")) {
  const large = byId("large");
  large.querySelector("img").src = image.src;
  large.querySelector("img").alt = image.alt;
  large.querySelector("p").textContent = card.dataset.caption;
  large.showModal();
}

export function listenForEnlarging(card) {
  card.querySelector(".enlarge").addEventListener("click", () => enlarge(card));
}

async function forget() {
  try {
    await call("/api/v1/mine", { method: "DELETE" });
    session.forget();
  } catch (error) {
    byId("forget-message").textContent = error.message;
  }
}

document.querySelectorAll("dialog").forEach((dialog) => {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
});
document.querySelectorAll(".person").forEach(listenForEnlarging);
byId("forget").addEventListener("click", () => { byId("forget-message").textContent = ""; byId("sure").showModal(); });
byId("forget-all").addEventListener("click", forget);
byId("forget-not").addEventListener("click", () => byId("sure").close());

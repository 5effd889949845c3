// A parent's card: drop, pick or photograph, and choose a face where there are several.

import { call } from "./api.js";
import { photograph } from "./camera.js";

const LARGEST = 10 * 2 ** 20;

export class ParentCard {
  // changed: called with this card whenever another person is meant, or nobody.
  constructor(role, changed) {
    this.role = role;
    this.photo = null;
    this.changed = changed;
    this.card = document.getElementById(role);
    this.frame = this.find(".frame");
    this.picture = this.find(".frame img");
    const file = this.find("input[type=file]");
    file.addEventListener("change", () => { if (file.files[0]) this.take(file.files[0]); file.value = ""; });
    this.find(".camera").addEventListener("click", () => photograph(role, (blob) => this.take(blob)));
    this.#listenForDrops();
  }

  find(selector) { return this.card.querySelector(selector); }

  #listenForDrops() {
    const over = (on) => (event) => { event.preventDefault(); this.frame.classList.toggle("over", on); };
    this.frame.addEventListener("dragover", over(true));
    this.frame.addEventListener("dragleave", over(false));
    this.frame.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
    });
  }

  async take(file) {
    if (file.size > LARGEST) {
      this.#say("The photograph is larger than 10 MB; send a smaller version");
      return;
    }
    const form = new FormData();
    form.append("photo", file, "photo");
    await this.#ask(() => call("/api/v1/photos", { method: "POST", body: form }), true);
  }

  async #choose(number) {
    const options = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ face: number }) };
    await this.#ask(() => call(`/api/v1/photos/${this.photo.id}/face`, options), false);
  }

  async #ask(request, anew) {
    this.#say("");
    this.find(".busy").hidden = false;
    try {
      this.#show(await (await request()).json());
    } catch (error) {
      this.#say(error.message);
      if (anew) this.#clear();
    } finally {
      this.find(".busy").hidden = true;
    }
  }

  #show(photo) {
    this.photo = photo;
    this.#offer(photo);
    if (photo.crop) this.picture.src = `${photo.crop}?face=${photo.face ?? ""}`;
    this.#seen(Boolean(photo.crop));
    this.changed(this);
  }

  #clear() {
    this.photo = null;
    this.find(".faces").hidden = true;
    this.#seen(false);
    this.changed(this);
  }

  #seen(yes) {
    this.picture.hidden = !yes;
    this.find(".enlarge").hidden = !yes;
    this.find(".empty").hidden = yes;
  }

  #offer(photo) {
    const faces = this.find(".faces");
    faces.hidden = photo.faces.length === 0;
    faces.querySelector("div").replaceChildren(...photo.faces.map(({ number, picture }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Face ${number} of ${photo.faces.length}, from the left`);
      button.setAttribute("aria-pressed", String(number === photo.face));
      const image = new Image(60, 60);
      image.src = picture;
      image.alt = "";
      button.append(image);
      button.addEventListener("click", () => this.#choose(number));
      return button;
    }));
  }

  #say(text) { this.find(".message").textContent = text; }
}

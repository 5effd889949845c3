// The tile of somebody with a photograph: click it, drop or paste a photograph onto it, or take one; and choose a face where there are several.

import { call } from "./api.js";
import { photograph } from "./camera.js";
import { warn } from "./notices.js";

const LARGEST = 10 * 2 ** 20;

export class PhotoTile {
  // card: the tile. changed: called whenever another person is meant.
  constructor(card, changed) {
    this.role = card.id;
    this.photo = null;
    this.file = null; // of the photograph, while this page has it: a small face can be enlarged
    this.changed = changed;
    this.card = card;
    this.frame = this.find(".frame");
    this.picture = this.find(".frame img");
    const file = this.find("input[type=file]");
    file.addEventListener("change", () => { if (file.files[0]) this.take(file.files[0]); file.value = ""; });
    this.find(".camera").addEventListener("click", () => photograph(card.dataset.who, (blob) => this.take(blob)));
    const upscale = this.find(".upscale");
    upscale.addEventListener("click", () => this.take(this.file, upscale.dataset.upscaler));
    this.#listenForDrops();
  }

  get ready() { return Boolean(this.photo?.ready); }

  find(selector) { return this.card.querySelector(selector); }

  #listenForDrops() {
    const over = (on) => (event) => { event.preventDefault(); this.card.classList.toggle("over", on); };
    this.card.addEventListener("dragover", over(true));
    this.card.addEventListener("dragleave", over(false));
    this.card.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
      else this.say("That was no file; drop a photograph");
    });
  }

  // upscaler: enlarges a small face; without it the photograph is taken as it is.
  async take(file, upscaler = "") {
    if (file.size === 0) {
      this.say("The file is empty; choose a photograph");
      return;
    }
    if (file.size > LARGEST) {
      this.say("The photograph is larger than 10 MB; send a smaller version");
      return;
    }
    const form = new FormData();
    form.append("photo", file, "photo");
    const path = "/api/v1/photos" + (upscaler && `?upscaler=${encodeURIComponent(upscaler)}`);
    await this.#ask(() => call(path, { method: "POST", body: form }), file);
  }

  // The photograph of an earlier visit, if the server still has it. Returns whether it has.
  async restore(id) {
    this.say("");
    if (!id) {
      this.clear();
      return true;
    }
    try {
      this.#show(await (await call(`/api/v1/photos/${id}`)).json());
      return true;
    } catch (error) {
      this.clear();
      this.say(error.status === 404 ? "No longer kept; choose it again" : error.message);
      return false;
    }
  }

  async choose(number) {
    const options = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ face: number }) };
    await this.#ask(() => call(`/api/v1/photos/${this.photo.id}/face`, options));
  }

  // What won't do is said; the photograph from before stays.
  async #ask(request, file = this.file) {
    this.say("");
    this.find(".busy").hidden = false;
    this.card.setAttribute("aria-busy", "true");
    try {
      const photo = await (await request()).json();
      this.file = file;
      this.#show(photo);
      this.changed();
    } catch (error) {
      this.say(error.message + (this.photo ? ". The one from before stays." : ""));
    } finally {
      this.find(".busy").hidden = true;
      this.card.removeAttribute("aria-busy");
    }
  }

  #show(photo) {
    this.photo = photo;
    this.#offer(photo);
    warn(this.find(".warnings"), photo.warnings);
    const upscale = this.find(".upscale");
    upscale.hidden = !(photo.small && this.file && upscale.dataset.upscaler);
    if (photo.crop) this.picture.src = `${photo.crop}?face=${photo.face ?? ""}`;
    this.#seen(Boolean(photo.crop));
  }

  clear() {
    this.photo = null;
    this.file = null;
    this.find(".upscale").hidden = true;
    this.find(".faces").hidden = true;
    warn(this.find(".warnings"), []);
    this.#seen(false);
  }

  #seen(yes) {
    this.card.classList.toggle("filled", yes);
    this.picture.hidden = !yes;
    this.find(".enlarge").hidden = !yes;
    this.find(".empty").hidden = yes;
    this.find(".choose").textContent = yes ? "Change" : "Choose";
  }

  #offer(photo) {
    const faces = this.find(".faces");
    faces.hidden = photo.faces.length === 0;
    faces.querySelector("div").replaceChildren(...photo.faces.map(({ number, picture }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Face ${number} of ${photo.faces.length}, from the left`);
      button.setAttribute("aria-pressed", String(number === photo.face));
      const image = new Image(72, 72);
      image.src = picture;
      image.alt = "";
      button.append(image);
      button.addEventListener("click", () => this.choose(number));
      return button;
    }));
  }

  say(text) { this.find(".message").textContent = text; }
}

// Pasted photographs go to the tile that has the keyboard or the mouse, else to one that is empty. A file that is
// dropped beside a tile must not replace the page. tiles: returns all that there are.
export function takePasted(tiles) {
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    const all = tiles();
    const meant = all.find(({ card }) => card.contains(document.activeElement)) ?? all.find(({ card }) => card.matches(":hover"));
    (meant ?? all.find(({ photo }) => !photo) ?? all[0])?.take(file);
  });
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
}

// Somebody of a family tree: a photograph, or two parents, or both.

import { listenForEnlarging } from "./dialogs.js";
import { put } from "./orders.js";
import { PhotoTile } from "./parents.js";
import { years } from "./sliders.js";

const template = document.getElementById("person-template");
let born = 0; // how many tiles there ever were: their names in the page are given once

export class Person {
  // known: { name, age, sex, father, mother, rest }, parents by name. on: { changed, renamed, remove }.
  constructor(known, on) {
    born += 1;
    const holder = document.createElement("div");
    holder.innerHTML = template.innerHTML.replaceAll("someone-new", `person-${born}`);
    this.card = holder.firstElementChild;
    this.tile = new PhotoTile(this.card, () => on.changed(this));
    this.rest = known.rest ?? {}; // what a file said beside
    this.father = known.father ?? "";
    this.mother = known.mother ?? "";
    this.made = null; // the address of the predicted picture
    this.find(".age").value = known.age ?? "";
    this.find(".sex").value = known.sex ?? "";
    this.name = known.name;
    listenForEnlarging(this.card);
    this.#listen(on);
  }

  find(selector) { return this.card.querySelector(selector); }

  get name() { return this.find(".name").value; }

  set name(name) {
    this.find(".name").value = name;
    this.called = name;
    this.card.setAttribute("aria-label", name);
    this.card.dataset.who = name;
    this.find(".pick").setAttribute("aria-label", `${name}'s photograph: choose, drop or paste one`);
    this.find(".camera").setAttribute("aria-label", `Photograph ${name}`);
    this.find(".enlarge").setAttribute("aria-label", `Enlarge ${name}'s picture`);
    this.find("summary").setAttribute("aria-label", `Age and more of ${name}`);
    this.find(".remove").setAttribute("aria-label", `Remove ${name}`);
    this.find(".name").setAttribute("aria-label", `Name of ${name}`);
  }

  get photo() { return this.tile.ready ? this.tile.photo.id : undefined; }
  get hasParents() { return Boolean(this.father && this.mother); }
  get isPredicted() { return !this.photo && this.hasParents; }
  get isReady() { return Boolean(this.photo) || (this.hasParents && !this.tile.photo); }

  // As a tree's file has it.
  get described() {
    const { age, sex } = this.wishes;
    const found = { ...this.rest, name: this.name.trim(), photo: this.photo, father: this.father, mother: this.mother, age, sex };
    return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== "" && value !== undefined));
  }

  get wishes() {
    const age = this.find(".age").value;
    return { age: age === "" ? undefined : Number(age), sex: this.find(".whether").hidden ? "" : this.find(".sex").value };
  }

  #listen(on) {
    this.find(".name").addEventListener("change", () => {
      const before = this.called;
      const name = this.name.trim().replace(/\s+/g, " ");
      this.name = name || before;
      on.renamed(this, before);
    });
    for (const part of [".age", ".sex"]) this.find(part).addEventListener("change", () => on.changed(this));
    for (const role of ["father", "mother"]) {
      this.find(`.${role}`).addEventListener("change", ({ target }) => {
        this[role] = target.value;
        on.changed(this);
      });
    }
    this.find(".without").addEventListener("click", () => { this.tile.clear(); on.changed(this); });
    this.find(".remove").addEventListener("click", () => on.remove(this));
  }

  // others: names that can be parents. isParent: whether somebody names this person, and so says the sex. Draws what
  // follows from the rest.
  draw(others, isParent) {
    for (const role of ["father", "mother"]) fill(this.find(`.${role}`), others, this[role], "not here");
    const { isPredicted } = this;
    this.find(".of").textContent = this.hasParents ? `child of ${this.father} and ${this.mother}` : "";
    this.find(".empty b").textContent = isPredicted ? "To be imagined" : "Add a photograph";
    this.find(".whether").hidden = isParent || !isPredicted;
    const { age } = this.wishes;
    this.find("summary span").textContent = age === undefined ? "Age and more" : `${years(age)} · more`;
    this.find(".without").hidden = !this.tile.photo;
    this.card.classList.toggle("imagined", isPredicted);
    this.card.dataset.caption = isPredicted ? "Synthetic image, not a photograph of a person" : `${this.name}, as cut out of the photograph`;
    if (!isPredicted) this.made = null;
  }

  async show(address) {
    this.made = address;
    const image = this.find(".frame img");
    await put(image, address);
    image.alt = `Synthetic picture of ${this.name}`;
    this.find(".empty").hidden = true;
    this.find(".enlarge").hidden = false;
  }

  hideMade() {
    this.made = null;
    if (this.tile.photo?.crop) return;
    this.find(".frame img").hidden = true;
    this.find(".enlarge").hidden = true;
    this.find(".empty").hidden = false;
  }
}

// A chooser of names; nobody where none is meant.
export function fill(select, names, chosen, nobody) {
  select.replaceChildren(new Option(nobody, ""), ...names.map((name) => new Option(name, name)));
  select.value = names.includes(chosen) ? chosen : "";
}

// The row of each person, from 0: below their parents, beside their partners.
export function generations(people) {
  const byName = new Map(people.map((person) => [person.called, person]));
  const row = new Map(people.map((person) => [person, 0]));
  for (let round = 0; round < 2 * people.length; round += 1) {
    for (const person of people) {
      const parents = [person.father, person.mother].map((name) => byName.get(name)).filter(Boolean);
      const lowest = Math.max(-1, ...parents.map((parent) => row.get(parent)));
      for (const parent of parents) row.set(parent, Math.min(lowest, people.length));
      row.set(person, Math.min(Math.max(row.get(person), lowest + 1), people.length));
    }
  }
  const rows = [];
  for (const person of people) (rows[row.get(person)] ??= []).push(person);
  return rows.filter(Boolean);
}

// A family tree: people with photographs, couples, their children and children's children.

import { call } from "./api.js";
import "./dialogs.js";
import { complain, hush, say, warn } from "./notices.js";
import { put, reveal, stop, work } from "./orders.js";
import { takePasted } from "./parents.js";
import { Person, fill, generations } from "./people.js";
import * as session from "./session.js";
import { openTree } from "./treefile.js";

const PRESETS = {
  grandchild: [
    { name: "Father's father" }, { name: "Father's mother" }, { name: "Mother's father" }, { name: "Mother's mother" },
    { name: "Father", father: "Father's father", mother: "Father's mother", age: 35 },
    { name: "Mother", father: "Mother's father", mother: "Mother's mother", age: 35 },
    { name: "Child", father: "Father", mother: "Mother", age: 8 },
  ],
  children: [
    { name: "Father" }, { name: "Mother" },
    ...[1, 2, 3].map((number) => ({ name: `Child ${number}`, father: "Father", mother: "Mother", age: 14 - 4 * number })),
  ],
};

const byId = (id) => document.getElementById(id);
const make = byId("make");
const title = byId("tree-title");
const generationsList = byId("generations");
let people = [];
let common = {}; // what goes for all in a file, such as the strategy
let made = null; // what the server answered

const on = { changed, renamed, remove };
const names = () => people.map(({ called }) => called);

// ---- Who belongs to the family

function begin(described, rest = {}) {
  stop();
  people = described.map((known) => new Person(known, on));
  common = rest.common ?? {};
  title.value = rest.title ?? "";
  made = null;
  draw();
  reveal(false);
}

// Everything that follows from who is there.
function draw() {
  place(generations(people).map((row) => row.map(({ card }) => card)));
  for (const person of people) {
    const isParent = people.some(({ father, mother }) => [father, mother].includes(person.called));
    person.draw(names().filter((name) => name !== person.called), isParent);
  }
  drawCouple();
  const lacking = people.filter(({ isReady }) => !isReady).map(({ called }) => called);
  const someone = people.some(({ isPredicted }) => isPredicted);
  make.disabled = lacking.length > 0 || !someone;
  byId("missing").textContent = lacking.length ? `Still without a photograph: ${lacking.join(", ")}.` : someone ? "" : "Everybody has a photograph: add a child of two of them.";
}

// Cards in their rows; those that stand right already are left alone, and the keyboard stays where it was.
function place(rows) {
  const there = [...generationsList.children].map((row) => [...row.children]);
  if (rows.length === there.length && rows.every((row, at) => row.length === there[at].length && row.every((card, number) => card === there[at][number]))) return;
  const focused = document.activeElement;
  if (generationsList.contains(focused)) focused.blur(); // what was typed counts first
  generationsList.replaceChildren(...rows.map((row, number) => {
    const item = document.createElement("li");
    item.setAttribute("aria-label", `Generation ${number + 1}`);
    item.append(...row);
    return item;
  }));
  if (generationsList.contains(focused)) focused.focus();
}

// The couple that the next child is of: the last one that there is, unless another one was chosen.
function drawCouple() {
  const last = people.findLast(({ hasParents }) => hasParents);
  for (const role of ["father", "mother"]) {
    const select = byId(`new-${role}`);
    fill(select, names(), select.value || last?.[role], "who?");
  }
}

function changed() {
  hush();
  draw();
  late();
  keep();
}

// What was made is of another family by now.
function late() {
  if (!made) return;
  stop();
  made = null;
  for (const person of people) if (person.made) person.card.classList.add("late");
  byId("drawn").classList.add("late");
  make.textContent = "Show the family again";
}

function renamed(person, before) {
  const taken = person.called;
  if (people.some((other) => other !== person && other.called === taken)) {
    person.name = before;
    complain(`There is a ${taken} already; give this person another name.`);
    return;
  }
  for (const other of people) {
    for (const role of ["father", "mother"]) if (other[role] === before && other !== person) other[role] = person.called;
  }
  for (const select of [byId("new-father"), byId("new-mother")]) if (select.value === before) select.value = "";
  changed();
}

function remove(person) {
  session.step();
  people.splice(people.indexOf(person), 1);
  for (const other of people) {
    for (const role of ["father", "mother"]) if (other[role] === person.called) other[role] = "";
  }
  changed();
  say(`${person.called} was removed.`, () => history.back());
  (people[0]?.find(".name") ?? byId("add-person")).focus();
}

function add(known) {
  session.step();
  const person = new Person({ ...known, name: free(known.name) }, on);
  people.push(person);
  changed();
  person.find(".name").focus();
  person.find(".name").select();
}

// A name that nobody has yet.
function free(name) {
  const taken = new Set(names());
  let number = 1;
  while (taken.has(number === 1 ? name : `${name} ${number}`)) number += 1;
  return number === 1 ? name : `${name} ${number}`;
}

byId("add-person").addEventListener("click", () => add({ name: "Somebody" }));
byId("add-child").addEventListener("click", ({ target }) => {
  const [father, mother] = ["father", "mother"].map((role) => byId(`new-${role}`).value);
  hush();
  if (father && mother && father !== mother) add({ name: "Child", father, mother });
  else complain("Choose a father and a mother, two people of this family.", target);
});

// ---- Making

async function order() {
  make.disabled = true;
  const asked = { ...common, title: title.value.trim(), person: people.map(({ described }) => described) };
  const done = await work("trees", asked, {
    tell: ({ stage, done: so, total }) => (total ? `Imagining ${stage}, ${so + 1} of ${total}…` : "Beginning…"),
    missing: restorePhotos,
  });
  draw();
  const status = byId("status");
  if (status.classList.contains("bad")) status.textContent = status.textContent.replace(/^The tree, person \d+, '(.*?)': /, "$1: ");
  if (!done) return;
  made = done;
  await present();
  keep();
}

async function present() {
  await Promise.all(made.people.map(({ predicted, picture }, place) => predicted && people[place].show(picture)));
  await put(byId("drawing"), made.picture);
  for (const card of document.querySelectorAll(".late")) card.classList.remove("late");
  byId("drawing").alt = `The family tree, drawn: ${made.people.map(({ name, father, mother }) => (father ? `${name}, child of ${father} and ${mother}` : name)).join("; ")}`;
  warn(byId("tree-warnings"), made.warnings);
  byId("get-png").href = made.png;
  byId("get-bundle").href = made.bundle;
  reveal(true);
  make.textContent = "Show the family again";
}

const restorePhotos = () => Promise.all(people.map(({ tile }) => tile.restore(tile.photo?.id)));

// ---- What outlives a reload

function keep() {
  const known = people.map((person) => ({
    name: person.called, father: person.father, mother: person.mother, ...person.wishes, rest: person.rest, photo: person.tile.photo?.id,
  }));
  session.keep({ people: known, common, title: title.value, made });
}

async function restore(state) {
  begin(state.people, state);
  const there = await Promise.all(people.map(({ tile }, place) => tile.restore(state.people[place].photo)));
  draw();
  if (!there.every(Boolean)) complain(`Photographs are gone: ${byId("kept").textContent}`);
  else if (state.made) await remake(state.made);
}

// What the server let go is made again.
async function remake(before) {
  try {
    await call(`/api/v1/trees/${before.id}`);
    made = before;
    await present();
  } catch (error) {
    await order();
  }
}

// ---- Other families

async function open(files) {
  const message = byId("open-message");
  message.textContent = "";
  try {
    const { described, rest, give } = await openTree(files);
    session.step();
    begin(described, rest);
    await give(people, (text) => say(text));
  } catch (error) {
    message.textContent = error.message;
  }
  say("");
  draw();
  keep();
}

async function example() {
  const button = byId("try");
  button.disabled = true;
  session.step();
  begin(PRESETS.grandchild);
  const addresses = button.dataset.photos.trim().split(" ");
  for (const [place, address] of addresses.entries()) await people[place].tile.take(await (await call(address)).blob());
  button.disabled = false;
  make.focus();
}

document.querySelectorAll("[data-preset]").forEach((button) => button.addEventListener("click", () => {
  session.step();
  begin(PRESETS[button.dataset.preset]);
  keep();
  say("Another family.", () => history.back());
}));
byId("open-file").addEventListener("change", ({ target }) => { open([...target.files]); target.value = ""; });
byId("try")?.addEventListener("click", example);
make.addEventListener("click", order);
title.addEventListener("change", changed);
byId("play").addEventListener("submit", (event) => event.preventDefault());
takePasted(() => people.map(({ tile }) => tile));
window.addEventListener("popstate", ({ state }) => { if (state) restore(state); });
begin(PRESETS.grandchild);
if (session.wasForgotten()) say("Done. Everything is forgotten.");
else if (session.kept()) restore(session.kept());
else keep();

// Age, girl or boy, and every other change of a face: what belongs to one child.

import { mark, put } from "./sliders.js";

const simple = document.getElementById("simple");
const edits = document.getElementById("edits");
const age = document.getElementById("age");
const gender = document.getElementById("edit-gender");
const mutation = document.getElementById("mutation"); // not there where the backbone draws nobody
const ages = simple ? [...simple.querySelectorAll("[data-years]")] : [];
const sexes = simple ? [...simple.querySelectorAll("[name=sex]")] : [];
const PARENTS = "parents"; // an age: theirs

export function listen(changed) {
  for (const chip of ages) {
    chip.addEventListener("click", () => { setAge(chip.dataset.years); changed(chip); });
  }
  document.getElementById("reset").addEventListener("click", (event) => {
    writeEdits({});
    if (!sexes.some((radio) => radio.checked)) setSex(usualSex());
    changed(event.target);
  });
}

export function read() {
  const found = { edits: readEdits() };
  if (age) found.age = chosenAge() === PARENTS ? null : Number(age.value);
  const sex = sexes.find((radio) => radio.checked);
  if (sex) found.sex = sex.value;
  if (mutation && Number(mutation.value)) found.mutation = Number(mutation.value);
  return found;
}

export function write({ age: years, sex, edits: strengths, mutation: share = 0 }) {
  if (age) setAge(years === null ? PARENTS : years ?? age.defaultValue);
  setSex(sex ?? ("gender" in strengths ? null : usualSex()));
  writeEdits(strengths);
  if (mutation) put(mutation, share);
}

// A control was moved by hand. A slider for gender takes the place of girl or boy.
export function follow(control) {
  if (control === age) setAge(age.value);
  if (control.name === "sex" && gender) put(gender, 0);
  if (control === gender) setSex(Number(gender.value) === 0 ? usualSex() : null);
}

function chosenAge() {
  return age.closest(".slider").classList.contains("unset") ? PARENTS : age.value;
}

// years: a number, or PARENTS; then the slider has no thumb, for it says nothing.
function setAge(years) {
  const parents = years === PARENTS;
  age.closest(".slider").classList.toggle("unset", parents);
  for (const chip of ages) chip.setAttribute("aria-pressed", String(chip.dataset.years === String(years)));
  if (parents) mark(age, "as their parents");
  else put(age, years);
}

const usualSex = () => sexes.find((radio) => "usual" in radio.dataset)?.value ?? null;

function setSex(sex) {
  for (const radio of sexes) radio.checked = radio.value === sex;
}

const editControls = () => [...edits.querySelectorAll(".slider[data-edit]")].map((slider) => [slider.dataset.edit, slider.querySelector("input")]);

function readEdits() {
  const moved = editControls().filter(([, control]) => Number(control.value) !== 0);
  return Object.fromEntries(moved.map(([name, control]) => [name, Number(control.value)]));
}

function writeEdits(strengths) {
  for (const [name, control] of editControls()) put(control, strengths[name] ?? 0);
}

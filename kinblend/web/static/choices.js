// Reads and writes the controls. What stands at its default is not sent.

const play = document.getElementById("play");
const edits = document.getElementById("edits");
const age = document.getElementById("age");
const parentsAge = edits.querySelector("[data-years=parents]");
const gender = document.getElementById("edit-gender");

export function listen(changed) {
  play.addEventListener("input", (event) => {
    if (event.target.id === "count") return;
    follow(event.target);
    mark(event.target);
    changed();
  });
  play.addEventListener("submit", (event) => event.preventDefault());
  for (const chip of edits.querySelectorAll("[data-aim]")) {
    chip.addEventListener("click", () => { aim(chip); changed(); });
  }
  for (const chip of ages()) {
    chip.addEventListener("click", () => { setAge(chip.dataset.years); changed(); });
  }
  document.getElementById("reset").addEventListener("click", () => { reset(); changed(); });
  play.querySelectorAll("input[type=range]").forEach((control) => mark(control));
}

export function read() {
  const blender = play.querySelector("[name=blender]:checked").value;
  return {
    blender,
    blender_options: optionsIn(play.querySelector(`.options[data-blender="${blender}"]`)),
    projector_options: optionsIn(document.getElementById("projector")),
    ...readChild(),
    edits: readEdits(),
    neutral: document.getElementById("neutral").checked,
  };
}

// Age and sex, where the backbone knows them. A slider for gender takes the place of girl or boy.
function readChild() {
  const found = {};
  if (age) found.age = parentsAge.getAttribute("aria-pressed") === "true" ? null : Number(age.value);
  const sex = play.querySelector("[name=sex]:checked");
  if (sex) found.sex = sex.value;
  return found;
}

// Which strategy is chosen; its options stay as they are.
export function choose(blender) {
  const radio = play.querySelector(`[name=blender][value="${blender}"]`);
  if (radio) { radio.checked = true; follow(radio); }
}

function optionsIn(place) {
  const options = {};
  for (const field of place?.querySelectorAll(".field") ?? []) {
    const value = valueOf(field);
    if (value !== undefined && JSON.stringify(value) !== field.dataset.default) options[field.dataset.name] = value;
  }
  return options;
}

function valueOf(field) {
  const control = field.querySelector("input, textarea");
  switch (field.dataset.kind) {
    case "slider": return untouched(field) ? undefined : Number(control.value);
    case "number": return control.value === "" ? undefined : Number(control.value);
    case "switch": return control.checked;
    case "choice": return field.querySelector("input:checked")?.value;
    case "layers": return sharesOf(field);
    case "json": return parsed(control);
    default: return control.value === "" ? undefined : control.value;
  }
}

// A number that has no default is the strategy's own until it is moved.
function untouched(field) {
  return field.dataset.default === "null" && !field.classList.contains("moved");
}

// The parts' shares, then those of single layers that were moved away from their part's.
function sharesOf(field) {
  const shares = {};
  for (const slider of field.querySelectorAll("[data-layers]")) shares[slider.dataset.layers] = Number(slider.querySelector("input").value);
  for (const slider of field.querySelectorAll("[data-layer].moved")) shares[slider.dataset.layer] = Number(slider.querySelector("input").value);
  return shares;
}

function parsed(control) {
  if (control.value.trim() === "") return undefined;
  try {
    const value = JSON.parse(control.value);
    control.removeAttribute("aria-invalid");
    return value;
  } catch {
    control.setAttribute("aria-invalid", "true");
    return undefined;
  }
}

function follow(control) {
  if (control.name === "blender") {
    play.querySelectorAll(".options").forEach((options) => { options.hidden = options.dataset.blender !== control.value; });
  }
  control.closest(".field")?.classList.add("moved");
  if (control === age) setAge(age.value);
  if (control.name === "sex" && gender) { gender.value = 0; mark(gender); }
  if (control === gender) chooseSex(Number(gender.value) === 0);
  const slider = control.closest("[data-edit], [data-layers], [data-layer]");
  if (slider?.dataset.edit) press(slider.dataset.edit, null);
  if (slider?.dataset.layer) slider.classList.add("moved");
  if (slider?.dataset.layers) spread(slider, control.value);
}

// A part's slider takes its layers along.
function spread(part, value) {
  const [first, last = first] = part.dataset.layers.split("-").map(Number);
  for (const slider of part.closest(".layers").querySelectorAll("[data-layer]")) {
    if (slider.dataset.layer < first || slider.dataset.layer > last) continue;
    slider.classList.remove("moved");
    const control = slider.querySelector("input");
    control.value = value;
    mark(control);
  }
}

function readEdits() {
  const found = {};
  for (const slider of edits.querySelectorAll(".slider[data-edit]")) {
    const value = Number(slider.querySelector("input").value);
    if (value !== 0) found[slider.dataset.edit] = value;
  }
  for (const chip of edits.querySelectorAll("[data-aim][aria-pressed=true]")) found[chip.dataset.edit] = chip.dataset.aim;
  return found;
}

function aim(chip) {
  const on = chip.getAttribute("aria-pressed") !== "true";
  press(chip.dataset.edit, on ? chip : null);
  const control = edits.querySelector(`.slider[data-edit="${chip.dataset.edit}"] input`);
  control.value = 0;
  mark(control, on ? `${chip.dataset.aim.slice(0, -1)} years` : undefined);
}

function press(name, wanted) {
  for (const chip of edits.querySelectorAll(`[data-aim][data-edit="${name}"]`)) chip.setAttribute("aria-pressed", String(chip === wanted));
}

function ages() {
  return edits.querySelectorAll("[data-years]");
}

// years: a number, or "parents".
function setAge(years) {
  ages().forEach((chip) => chip.setAttribute("aria-pressed", String(chip.dataset.years === String(years))));
  if (years !== "parents") age.value = years;
  mark(age, years === "parents" ? "as the parents" : undefined);
}

// Back to the usual choice, or to none.
function chooseSex(usual) {
  play.querySelectorAll("[name=sex]").forEach((radio) => { radio.checked = usual && "usual" in radio.dataset; });
}

function reset() {
  edits.querySelectorAll("[data-aim]").forEach((chip) => chip.setAttribute("aria-pressed", "false"));
  edits.querySelectorAll("[data-edit] input[type=range]").forEach((control) => { control.value = 0; mark(control); });
  if (age) setAge(age.closest("[data-age]").dataset.age);
  chooseSex(true);
}

// What a slider says beside its name, and to a screen reader.
function mark(control, words) {
  if (control.type !== "range" || !control.closest(".slider")) return;
  const text = words ?? wordsFor(control);
  control.closest(".slider").querySelector("output").textContent = text;
  control.setAttribute("aria-valuetext", text);
}

function wordsFor(control) {
  const value = Number(control.value);
  const { low, high } = control.dataset;
  if (control === age) return value === 1 ? "1 year" : `${value} years`;
  const field = control.closest(".field");
  if (field && untouched(field)) return "the strategy's own";
  if (low === "mother" && high === "father") return value === 0.5 ? "both alike" : value > 0.5 ? `${Math.round(value * 100)} % father` : `${Math.round(100 - value * 100)} % mother`;
  if (!control.closest("[data-edit]")) return String(value);
  if (value === 0) return "unchanged";
  return `${value > 0 ? high : low} ${Math.abs(value).toFixed(1)}`;
}

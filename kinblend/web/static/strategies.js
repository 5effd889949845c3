// How features are passed on: the strategy and its options, and those of the generator. What stands at its default is
// not sent.

import * as parts from "./parts.js";
import { mark, put, untouched } from "./sliders.js";

const play = document.getElementById("play");
const radios = [...play.querySelectorAll("[name=blender]")];
const projector = document.getElementById("projector");
const neutral = document.getElementById("neutral");
const optionsOf = (name) => play.querySelector(`.options[data-blender="${name}"]`);

export const chosen = () => described(radios.find((radio) => radio.checked));
export const byChance = () => described(radios.find((radio) => "stochastic" in radio.dataset));

function described(radio) {
  return radio && { name: radio.value, label: radio.dataset.label, stochastic: "stochastic" in radio.dataset };
}

export function labelOf(name) {
  return radios.find((radio) => radio.value === name)?.dataset.label ?? name;
}

export function read() {
  const { name } = chosen();
  return {
    blender: name,
    blender_options: readOptions(optionsOf(name)),
    projector_options: readOptions(projector),
    neutral: neutral.checked,
  };
}

export function write(recipe) {
  for (const radio of radios) radio.checked = radio.value === recipe.blender;
  writeOptions(optionsOf(recipe.blender), recipe.blender_options);
  writeOptions(projector, recipe.projector_options);
  neutral.checked = recipe.neutral;
  showOptions();
}

// A control was moved by hand.
export function follow(control) {
  if (control.name === "blender") showOptions();
  control.closest(".field")?.classList.add("moved");
  const slider = control.closest("[data-layers], [data-layer]");
  if (slider?.dataset.layer) slider.classList.add("moved");
  if (slider?.dataset.layers) spread(slider, control.value);
}

function showOptions() {
  const { name } = chosen();
  play.querySelectorAll(".options").forEach((options) => { options.hidden = options.dataset.blender !== name; });
}

const fieldsIn = (place) => [...(place?.querySelectorAll(".field") ?? [])];
const controlIn = (place) => place.querySelector("input");

function readOptions(place) {
  const options = {};
  for (const field of fieldsIn(place)) {
    const value = valueOf(field);
    if (value !== undefined && JSON.stringify(value) !== field.dataset.default) options[field.dataset.name] = value;
  }
  return options;
}

function writeOptions(place, options) {
  for (const field of fieldsIn(place)) {
    const { name, kind } = field.dataset;
    field.classList.toggle("moved", name in options);
    const value = name in options ? options[name] : JSON.parse(field.dataset.default);
    if (kind === "layers") writeShares(field, value);
    else if (kind === "parts") parts.write(field, value);
    else if (kind === "switch") controlIn(field).checked = value;
    else if (kind === "choice") field.querySelectorAll("input").forEach((radio) => { radio.checked = radio.value === String(value); });
    else put(controlIn(field), value ?? controlIn(field).defaultValue);
  }
}

function valueOf(field) {
  const control = controlIn(field);
  switch (field.dataset.kind) {
    case "slider": return untouched(field) ? undefined : Number(control.value);
    case "number": return control.value === "" ? undefined : Number(control.value);
    case "switch": return control.checked;
    case "choice": return field.querySelector("input:checked")?.value;
    case "layers": return readShares(field);
    case "parts": return parts.read(field);
    default: return control.value === "" ? undefined : control.value;
  }
}

const partsOf = (field) => [...field.querySelectorAll("[data-layers]")];
const layersOf = (field) => [...field.querySelectorAll("[data-layer]")];

// The parts' shares, then those of single layers that were moved away from their part's.
function readShares(field) {
  const shares = {};
  for (const part of partsOf(field)) shares[part.dataset.layers] = Number(controlIn(part).value);
  for (const layer of layersOf(field)) {
    if (layer.classList.contains("moved")) shares[layer.dataset.layer] = Number(controlIn(layer).value);
  }
  return shares;
}

function writeShares(field, shares) {
  for (const part of partsOf(field)) {
    put(controlIn(part), shares[part.dataset.layers] ?? controlIn(part).defaultValue);
    spread(part, controlIn(part).value);
  }
  const names = new Set(partsOf(field).map((part) => part.dataset.layers));
  for (const layer of layersOf(field)) {
    const { layer: name } = layer.dataset;
    if (!(name in shares) || names.has(name)) continue;
    layer.classList.add("moved");
    put(controlIn(layer), shares[name]);
  }
}

// A part's slider takes its layers along.
function spread(part, value) {
  const [first, last = first] = part.dataset.layers.split("-").map(Number);
  for (const layer of layersOf(part.closest(".field"))) {
    if (layer.dataset.layer < first || layer.dataset.layer > last) continue;
    layer.classList.remove("moved");
    put(controlIn(layer), value);
  }
}

play.querySelectorAll("input[type=range]").forEach((control) => mark(control));

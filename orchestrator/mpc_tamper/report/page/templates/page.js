"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function make(name, text, ...children) {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

// Colours: those of the system until somebody asks for others.
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

function nameTheme() {
  theme.textContent = isDark() ? "Light colours" : "Dark colours";
}

theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();

// The record of a cell.
const dialog = document.getElementById("record");

function facts(pairs) {
  const list = make("dl");
  for (const [label, value] of pairs) list.append(make("div", "", make("dt", label), make("dd", value)));
  return list;
}

function weights(cell) {
  const picture = find(".pair", document.getElementById(cell.tile)).cloneNode(true);
  return make("figure", "", picture, make("figcaption", `${cell.drawn}, and a test image with the trigger.`));
}

function ofSeeds(rows) {
  const head = make("tr", "", ...["seed", "accuracy", "ASR", "outcome"].map((name) => make("th", name)));
  all("th", head).forEach((cell) => cell.setAttribute("scope", "col"));
  const aligned = (row) => [...row.cells].slice(1, 3).forEach((cell) => cell.classList.add("n"));
  aligned(head);
  const body = make("tbody");
  for (const [seed, ...others] of rows) {
    const first = make("th", seed);
    first.setAttribute("scope", "row");
    const row = make("tr", "", first, ...others.map((value) => make("td", value)));
    aligned(row);
    body.append(row);
  }
  const table = make("table", "", make("caption", "The model of each seed"), make("thead", "", head), body);
  const region = make("div", "", table);
  region.className = "scroll";
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", "The model of each seed");
  return region;
}

function open(button) {
  const cell = data.cells[Number(button.dataset.cell)];
  const body = document.getElementById("record-body");
  document.getElementById("record-title").textContent = cell.title;
  document.getElementById("record-under").textContent = cell.under;
  body.replaceChildren();
  if (cell.words) body.append(make("p", cell.words));
  const [[result, ofResult], ...groups] = cell.groups;
  body.append(make("h3", result), facts(ofResult));
  if (cell.command) {
    body.append(make("h3", "Run it again"), make("pre", "", make("code", cell.command)));
    if (cell.note) body.append(make("p", cell.note));
  }
  if (cell.tile) body.append(make("h3", "Weights"), weights(cell));
  for (const [name, pairs] of groups) body.append(make("h3", name), facts(pairs));
  if (cell.seeds.length) body.append(make("h3", "Seeds"), ofSeeds(cell.seeds));
  dialog.showModal();
  dialog.scrollTop = 0;
}

document.getElementById("record-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

// The heat maps: one stop of the tab key each, arrow keys within.
const shownCells = (row) => [...row.cells].filter((cell) => !cell.hidden);

function move(table, button, event) {
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const row = rows.indexOf(button.closest("tr"));
  const column = shownCells(rows[row]).indexOf(button.closest("td"));
  const last = shownCells(rows[row]).length - 1;
  const steps = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [event.ctrlKey ? 0 : row, 1],
    End: [event.ctrlKey ? rows.length - 1 : row, last],
  };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const [toRow, toColumn] = steps[event.key];
  const target = rows[toRow] && find(".cell", shownCells(rows[toRow])[toColumn] ?? table.tHead);
  if (target) stop(table, target, true);
}

function stop(table, target, focus) {
  for (const cell of all(".cell", table)) cell.tabIndex = -1;
  target.tabIndex = 0;
  if (focus) target.focus();
}

function firstStop(table) {
  const cell = all(".cell", table).find((each) => !each.closest("td").hidden && !each.closest("tr").hidden);
  if (cell) stop(table, cell, false);
}

for (const table of all(".heat")) {
  table.setAttribute("role", "grid");
  firstStop(table);
  table.addEventListener("keydown", (event) => {
    if (event.target.matches(".cell")) move(table, event.target, event);
  });
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (!button) return;
    stop(table, button, false);
    open(button);
  });
}

// What is shown of them. The honest run and the column without a defence stay, to compare with.
const filter = document.getElementById("filter");

function show() {
  const { map, attack, defence, outcome } = Object.fromEntries(new FormData(filter));
  let shown = 0;
  for (const each of all(".map")) {
    each.hidden = Boolean(map) && each.id !== map;
    const table = find(".heat", each);
    const heads = [...table.tHead.rows[0].cells];
    const kept = heads.map(({ dataset: { defence: name } }) => !defence || !name || [defence, "none"].includes(name));
    heads.forEach((head, column) => (head.hidden = !kept[column]));
    for (const row of table.tBodies[0].rows) {
      row.hidden = Boolean(attack) && ![attack, "none"].includes(row.dataset.attack);
      [...row.cells].forEach((cell, column) => {
        cell.hidden = !kept[column];
        const faint = column > 0 && Boolean(outcome) && !cell.classList.contains(outcome);
        cell.classList.toggle("faint", faint);
        shown += Boolean(find("button", cell)) && !each.hidden && !row.hidden && kept[column] && !faint;
      });
    }
    firstStop(table);
  }
  document.getElementById("shown").textContent = `${shown} of ${all(".heat button").length} cells`;
}

if (filter) {
  filter.hidden = false;
  for (const note of all(".keys")) note.hidden = false;
  filter.addEventListener("input", show);
  filter.addEventListener("submit", (event) => event.preventDefault());
  show();
}

// Costs. The same formula as in studies/costs/model.py.
const predict = (network, run) =>
  run.seconds + run.rounds * network.latency_seconds + (8 * run.bytes_per_party) / network.bits_per_second;

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString());
const inMilliseconds = (seconds) => `${Number((1000 * seconds).toPrecision(3))} ms`;
const inMegabits = (bits) => `${(bits / 1e6).toLocaleString("en")} Mbit/s`;
const form = document.getElementById("network");

function price() {
  const network = {
    latency_seconds: data.costs.latencies[form.latency.value],
    bits_per_second: data.costs.rates[form.rate.value],
  };
  const ways = data.costs.choices[form.choice.value];
  const totals = ways.map((way) => predict(network, way));
  const most = Math.max(...totals);
  const said = `${inMilliseconds(network.latency_seconds)} one way, ${inMegabits(network.bits_per_second)}`;
  form["latency-said"].value = inMilliseconds(network.latency_seconds);
  form["rate-said"].value = inMegabits(network.bits_per_second);
  form.latency.setAttribute("aria-valuetext", `${form["latency-said"].value} one way`);
  form.rate.setAttribute("aria-valuetext", form["rate-said"].value);
  document.getElementById("ways-network").textContent = `a network of ${said}`;
  const rows = [...document.getElementById("ways").tBodies[0].rows];
  const byName = new Map(ways.map((way, place) => [way.name, place]));
  for (const row of rows) {
    const place = byName.get(row.cells[0].firstChild.textContent);
    row.hidden = place === undefined;
    if (row.hidden) continue;
    const way = ways[place];
    const parts = [way.seconds, way.rounds * network.latency_seconds, (8 * way.bytes_per_party) / network.bits_per_second];
    let x = 0;
    all("rect", row).forEach((bar, part) => {
      const width = (100 * parts[part]) / most;
      bar.setAttribute("x", x);
      bar.setAttribute("width", width);
      x += width;
    });
    find(".total", row).textContent = digits(totals[place]);
    find(".times", row).textContent = (totals[place] / totals[0]).toFixed(2);
    find(".computing", row).textContent = digits(way.seconds);
    find(".rounds", row).textContent = way.rounds.toLocaleString("en");
    find(".megabytes", row).textContent = (way.bytes_per_party / 1e6).toLocaleString("en", {
      minimumFractionDigits: 1,
      maximumFractionDigits: 1,
    });
  }
  const last = totals.length - 1;
  document.getElementById("ways-said").textContent =
    `On ${said}, active training takes ${digits(totals[last])} s, ${(totals[last] / totals[0]).toFixed(2)} times passive training.`;
}

if (form) {
  form.hidden = false;
  find(".bars-legend").hidden = false;
  form.addEventListener("input", price);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of all(".presets button")) {
    button.addEventListener("click", () => {
      form.latency.value = button.dataset.latency;
      form.rate.value = button.dataset.rate;
      price();
    });
  }
  price();
}

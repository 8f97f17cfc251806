// What a reader may do on the report; test_analysis.py runs this on its page in a browser and expects what it returns.
// Every slider to every stop: the first table and its sentence show what is printed for that stop, and go back.
const first = document.getElementById("findings"), opening = document.getElementById("opening"), out = {wrong: [], moved: 0};
const text = node => node.textContent.replace(/\s+/g, " ").trim(), before = text(first), said = text(opening);
const slide = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
out.sliders = document.querySelectorAll(".assume input").length;
document.querySelectorAll(".assume input").forEach(input => {
  const printed = document.querySelector('table.what-if[data-assumption="' + input.dataset.assumption + '"]');
  for (let value = 0; value <= +input.max; value++) {
    slide(input, value);
    const stop = printed.tBodies[value], says = stop.querySelector(".says");
    if (value && says && text(opening) !== text(says)) out.wrong.push(text(opening));
    stop.querySelectorAll("tr[data-quantity] td").forEach(cell => {
      const row = first.querySelector('tr[data-quantity="' + cell.parentNode.dataset.quantity + '"]');
      const shown = text(row.querySelector('td[data-drug="' + cell.dataset.drug + '"]'));
      out.moved += 1;
      if (!value === row.cells[0].dataset.csv.includes("what if")) out.wrong.push("named " + row.cells[0].dataset.csv);
      if (!shown.startsWith(text(cell))) out.wrong.push(shown + " for " + text(cell));
    });
  }
  slide(input, 0);
});
out.restored = text(first) === before && text(opening) === said;
// Specifications, chances, cards, sorting, download, and that everything to be reached has a name.
const click = (node, type) => node.dispatchEvent(new Event(type || "click", {bubbles: true}));
// a specification is walked to: its words, its mark and its choices
const spec = document.querySelector('figure.spec[data-quantity="drug"]'), walk = spec.querySelector(".walk input");
walk.value = 5; click(walk, "input");
const sixth = spec.querySelectorAll(".point")[5];
out.specification = spec.querySelector(".says").textContent === sixth.querySelector("title").textContent &&
  spec.querySelectorAll(".option.chosen").length === sixth.dataset.chosen.split(" ").length && !spec.querySelector(".walk").hidden;
// a design's chances
const chance = document.querySelector("figure.chance"), line = chance.querySelector("svg .line");
click(chance.querySelector('.key [data-design="' + line.dataset.design + '"]'), "click");
out.chances = chance.querySelector(".says").textContent === line.dataset.says && line.classList.contains("on");
// a circle opens its card
const card = document.querySelector(".card"), dot = document.querySelector('.dot[href="#' + card.id + '"]');
document.querySelectorAll("#trials details").forEach(fold => { fold.open = false; });
dot.click(); window.dispatchEvent(new Event("hashchange"));
out.card = card.open && card.parentNode.closest("details").open;
document.querySelectorAll("details").forEach(fold => { fold.open = true; });
// a table sorts both ways by a column of numbers, and downloads what it shows
const table = document.querySelector('table[data-filters]'), column = [...table.tHead.rows[0].cells].findIndex(c => text(c) === "People");
const numbers = () => [...table.tBodies[0].rows].map(r => parseFloat(r.cells[column].textContent)).filter(n => !isNaN(n));
const sorted = sign => numbers().every((n, i, all) => !i || sign * (n - all[i - 1]) >= 0);
const button = table.tHead.rows[0].cells[column].querySelector("button");
button.click(); const up = sorted(1) && table.tHead.rows[0].cells[column].getAttribute("aria-sort") === "ascending";
button.click(); out.sorts = up && sorted(-1) && numbers().length > 30;
let saved = ""; const Kept = window.Blob; window.Blob = function (parts) { saved = parts.join(""); return new Kept(parts); };
HTMLAnchorElement.prototype.click = function () { out.file = this.download; };
table.closest(".scroll").previousElementSibling.querySelectorAll("button").forEach(b => { if (b.textContent === "CSV") b.click(); });
window.Blob = Kept;
const lines = saved.trim().split("\r\n");
out.csv = [lines.length - table.tBodies[0].rows.length, lines[0].includes('"Trial","Drug","Condition"'),
  lines[1].startsWith('"' + table.tBodies[0].rows[0].cells[0].dataset.csv + '"')];
const unnamed = [...document.querySelectorAll("a, button, input, select, summary, [tabindex]")].filter(
  e => !(e.getAttribute("aria-label") || e.textContent.trim() || e.title || (e.labels && e.labels.length)));
out.unnamed = unnamed.map(e => e.outerHTML.slice(0, 80));
return out;

// Tables sort, filter and download; folds open for a link into them and for the printer. Without this script the page reads the same.
"use strict";
(() => {
  const text = cell => cell.innerText.replace(/\s+/g, " ").trim();
  const number = value => {
    const found = value.replace(/−/g, "-").match(/^[<>≈ ]*([-+]?\d[\d,]*\.?\d*)/);
    return found ? parseFloat(found[1].replace(/,/g, "")) : NaN;
  };
  const quoted = value => {
    const plain = value.replace(/−/g, "-");
    const safe = /^[=+\-@\t\r]/.test(plain) && !/^[-+]?[\d.]/.test(plain) ? "'" + plain : plain;
    return '"' + safe.replace(/"/g, '""') + '"';
  };
  const button = (label, title, act) => {
    const made = document.createElement("button");
    made.type = "button"; made.textContent = label; made.title = title; made.addEventListener("click", act);
    return made;
  };
  const head = cell => cell.dataset.name || text(cell);
  const value = cell => cell.dataset.csv || text(cell);
  const csv = table => [...table.rows].filter(row => !row.hidden).map(row =>
    [...row.cells].map(cell => quoted(row.parentNode.tagName === "THEAD" ? head(cell) : value(cell))).join(",")).join("\r\n");
  const download = (table, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff" + csv(table)], { type: "text/csv" }));
    link.download = name + ".csv"; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const sort = (table, column, header) => {
    const body = table.tBodies[0], up = header.getAttribute("aria-sort") !== "ascending";
    const rows = [...body.rows].map(row => [row, text(row.cells[column] || row.cells[0])]);
    const numeric = rows.filter(([, t]) => t).every(([, t]) => !Number.isNaN(number(t)));
    const order = (a, b) => numeric ? number(a) - number(b) : a.localeCompare(b);
    rows.sort(([, a], [, b]) => a && b ? (up ? order(a, b) : order(b, a)) : (a ? -1 : b ? 1 : 0));
    rows.forEach(([row]) => body.append(row));
    table.querySelectorAll("th[aria-sort]").forEach(other => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
  };
  let count = 0;
  document.querySelectorAll(".scroll > table").forEach(table => {
    count += 1;
    const section = table.closest("section"), name = (section ? section.id : "table") + "_" + count;
    const tools = document.createElement("div");
    tools.className = "tools";
    const body = table.tBodies[0], grouped = table.querySelector('th[scope="rowgroup"], [rowspan]') || table.matches(".findings, .map");
    if (!grouped && body.rows.length > 8) {
      const filter = document.createElement("input");
      filter.type = "search"; filter.placeholder = "filter rows"; filter.setAttribute("aria-label", "Filter the rows of this table");
      const shown = document.createElement("span"), choices = [];
      shown.setAttribute("role", "status");
      const apply = () => {
        const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
        let left = 0;
        for (const row of body.rows) {
          row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word)) ||
            !choices.every(([column, choice]) => !choice.value || text(row.cells[column]) === choice.value);
          left += !row.hidden;
          if (row.dataset.id) section.querySelectorAll("[data-row]").forEach(point => {
            if (point.dataset.row === row.dataset.id) point.style.display = row.hidden ? "none" : "";
          });
        }
        shown.textContent = left < body.rows.length ? left + " of " + body.rows.length + " rows" : "";
      };
      filter.addEventListener("input", apply);
      (table.dataset.filters || "").split(",").filter(Boolean).forEach(name => {
        const column = [...table.tHead.rows[0].cells].findIndex(cell => text(cell) === name);
        const choice = document.createElement("select");
        choice.setAttribute("aria-label", name);
        const values = [...new Set([...body.rows].map(row => text(row.cells[column])))].sort();
        choice.append(new Option("any " + name.toLowerCase(), ""), ...values.map(value => new Option(value, value)));
        choice.addEventListener("change", apply);
        choices.push([column, choice]);
        tools.append(choice);
      });
      tools.append(filter, shown);
    }
    tools.append(button("CSV", "Download this table as CSV", () => download(table, name)));
    table.parentNode.before(tools);
    if (!grouped && body.rows.length > 2) {
      [...table.tHead.rows[0].cells].forEach((header, column) => {
        if (header.querySelector("details")) return;
        const made = button(text(header), "Sort by this column", () => sort(table, column, header));
        made.className = "sort"; header.dataset.name = text(header); header.replaceChildren(made);
      });
    }
  });
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let fold = target && target.closest("details"); fold; fold = fold.parentNode.closest("details")) fold.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  unfold();
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach(fold => { fold.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach(fold => { fold.open = false; }));
})();

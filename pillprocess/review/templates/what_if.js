
// What if? A slider's stop shows the printed values of that stop in the first table; nothing is computed here.
(() => {
  const first = document.getElementById("findings"), opening = document.getElementById("opening");
  const box = document.querySelector(".assume");
  if (!first || !box) return;
  const sliders = [...box.querySelectorAll("input[data-assumption]")];
  const printed = name => document.querySelector('table.what-if[data-assumption="' + name + '"]');
  const kept = new Map(), said = opening.textContent;
  first.querySelectorAll("tr[data-quantity] > *").forEach(cell => kept.set(cell, [cell.innerHTML, cell.dataset.csv]));
  const show = () => {
    kept.forEach(([content, csv], cell) => {
      if (cell.closest("tr").classList.contains("assumed")) {
        cell.innerHTML = content;
        if (csv !== undefined) cell.dataset.csv = csv;
      }
    });
    first.querySelectorAll(".assumed").forEach(row => row.classList.remove("assumed"));
    const sentences = [];
    sliders.forEach(slider => {
      const stop = printed(slider.dataset.assumption).querySelector('tbody[data-stop="' + slider.value + '"]');
      const output = slider.parentNode.querySelector("output");
      output.value = stop.dataset.name;
      slider.setAttribute("aria-valuetext", stop.dataset.name);
      if (slider.value === "0") return;
      const says = stop.querySelector(".says");
      if (says) sentences.push(says.textContent);
      stop.querySelectorAll("tr[data-quantity]").forEach(from => {
        const row = first.querySelector('tr[data-quantity="' + from.dataset.quantity + '"]'), head = row.cells[0];
        row.classList.add("assumed");
        const note = document.createElement("small");
        note.className = "if"; note.textContent = "what if: " + stop.dataset.name;
        head.append(note);
        head.dataset.csv = head.dataset.csv + " (what if: " + stop.dataset.name + ")";
        [...from.cells].slice(1).forEach(cell => {
          const here = row.querySelector('td[data-drug="' + cell.dataset.drug + '"]');
          if (here) here.innerHTML = cell.innerHTML;
        });
      });
    });
    opening.textContent = sentences.length ? sentences.join(" ") : said;
  };
  sliders.forEach(slider => slider.addEventListener("input", show));
  box.hidden = false;
  show();
})();


// Figures that answer: a specification names its choices, a design its chances. Without this script the titles of the marks say the same.
(() => {
  document.querySelectorAll("figure.spec").forEach(figure => {
    const svg = figure.querySelector("svg"), mark = svg.querySelector(".mark"), points = [...svg.querySelectorAll(".point")];
    const options = [...svg.querySelectorAll(".option")], says = figure.querySelector(".says"), walk = figure.querySelector(".walk");
    const slider = walk.querySelector("input"), half = mark.width.baseVal.value / 2;
    const show = index => {
      const point = points[index], chosen = point.dataset.chosen.split(" ");
      points.forEach(other => other.classList.toggle("on", other === point));
      options.forEach((option, number) => option.classList.toggle("chosen", chosen.includes(String(number))));
      mark.setAttribute("x", point.querySelector("circle").cx.baseVal.value - half);
      says.textContent = point.querySelector("title").textContent;
      slider.value = index;
      slider.setAttribute("aria-valuetext", says.textContent);
    };
    svg.addEventListener("pointermove", event => {
      const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      const gap = point => Math.abs(point.querySelector("circle").cx.baseVal.value - x);
      if (x > 160) show(points.reduce((best, point, index) => gap(point) < gap(points[best]) ? index : best, 0));
    });
    slider.addEventListener("input", () => show(+slider.value));
    walk.hidden = false;
    show(+slider.value);
  });
  document.querySelectorAll("figure.chance").forEach(figure => {
    const parts = [...figure.querySelectorAll("[data-design]")], says = figure.querySelector(".says");
    const show = design => {
      parts.forEach(part => part.classList.toggle("on", part.dataset.design === design));
      const line = figure.querySelector("svg .line.on");
      says.textContent = line ? line.dataset.says : "";
    };
    parts.forEach(part => ["pointerenter", "focus", "click"].forEach(what => part.addEventListener(what, () => show(part.dataset.design))));
  });
})();

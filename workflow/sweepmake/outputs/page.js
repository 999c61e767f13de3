"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, rows } = data;
  const body = document.querySelector("tbody");
  const shown = document.getElementById("shown");
  const filter = document.getElementById("filter");
  const heads = [...document.querySelectorAll("thead th")];
  const STEP = 200;        // rows that are drawn at once
  const AT_ONCE = 2000;    // rows that are drawn without scrolling
  // in a report the page is a data: address, from where a relative link leads nowhere
  const linked = /^(file|https?):$/.test(location.protocol);
  const texts = rows.map((row) => row.cells.join("\n").toLowerCase());
  let order = rows.map((_, at) => at);
  let visible = order;
  let drawn = 0;
  let sorted = { column: -1, down: false };
  let wanted = null;

  const short = (value) => Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));

  function cell(row, at) {
    const column = columns[at];
    const value = row.cells[at];
    const td = document.createElement("td");
    if (column.number) td.className = "number";
    if (value === null) return td;
    if (typeof value === "number") {
      td.textContent = column.exact && String(value).length < 10 ? String(value) : short(value);
      if (td.textContent !== String(value)) td.title = String(value);
    } else if (column.link && linked) {
      const link = document.createElement("a");
      link.href = row.links[at];
      link.textContent = column.link;
      link.title = String(value);
      td.append(link);
    } else {
      td.textContent = String(value);
      if (String(value).length > 30) td.title = String(value);
    }
    if (column.status) td.classList.add("s-" + String(value).replace(/[^a-z]+/g, "-"));
    if (column.best !== undefined && value === column.best) td.classList.add("top");
    if (column.bar && typeof value === "number") {
      const [low, high] = column.bar;
      const part = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1;
      const width = (6 + 94 * part).toFixed(1) + "%";
      td.style.backgroundImage = `linear-gradient(to right, #a9cde6 ${width}, transparent ${width})`;
    }
    return td;
  }

  function draw(count) {
    const some = document.createDocumentFragment();
    for (const at of visible.slice(drawn, drawn + count)) {
      const tr = document.createElement("tr");
      if (at === data.best) tr.className = "best";
      for (let column = 0; column < columns.length; column += 1) tr.append(cell(rows[at], column));
      some.append(tr);
    }
    body.append(some);
    drawn = Math.min(visible.length, drawn + count);
  }

  let round = 0;
  function drawMore(now) {
    if (now !== round || drawn >= Math.min(visible.length, AT_ONCE)) return;
    draw(STEP);
    setTimeout(drawMore, 0, now);
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    visible = order.filter((at) =>
      (wanted === null || rows[at].status === wanted) && words.every((word) => texts[at].includes(word)));
    body.textContent = "";
    drawn = 0;
    round += 1;
    draw(STEP);
    setTimeout(drawMore, 0, round);
    shown.textContent = visible.length === rows.length
      ? `${rows.length} experiments` : `${visible.length} of ${rows.length} experiments`;
  }

  function compare(first, second, column, down) {
    const [a, b] = [rows[first].cells[column], rows[second].cells[column]];
    const kind = (value) => value === null || value === "" ? 2 : typeof value === "number" ? 0 : 1;
    if (kind(a) !== kind(b)) return kind(a) - kind(b);      // empty cells stay last
    const way = down ? -1 : 1;
    if (kind(a) === 0) return (a - b) * way;
    return String(a).localeCompare(String(b), undefined, { numeric: true }) * way;
  }

  function sortBy(column) {
    const first = columns[column].rule === "max";           // the best first, then the worst, then as it was
    if (sorted.column !== column) sorted = { column, down: first };
    else if (sorted.down === first) sorted = { column, down: !first };
    else sorted = { column: -1, down: false };
    order = rows.map((_, at) => at);
    if (sorted.column >= 0) order.sort((a, b) => compare(a, b, column, sorted.down) || a - b);
    heads.forEach((head, at) => {
      if (at === sorted.column) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    show();
  }

  heads.forEach((head, at) => head.firstChild.addEventListener("click", () => sortBy(at)));
  let waiting;
  filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 120); });
  for (const button of document.querySelectorAll(".status")) {
    button.addEventListener("click", () => {
      wanted = wanted === button.dataset.status ? null : button.dataset.status;
      for (const other of document.querySelectorAll(".status")) {
        other.setAttribute("aria-pressed", String(other.dataset.status === wanted));
      }
      show();
    });
  }
  const main = document.querySelector("main");
  main.addEventListener("scroll", () => {
    if (drawn < visible.length && main.scrollTop + 2 * main.clientHeight > main.scrollHeight) draw(STEP);
  }, { passive: true });
  show();
})();

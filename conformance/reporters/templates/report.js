"use strict";
(() => {
  const STEP = 100; // items that are drawn at once
  const MESSAGE = 220; // characters of a message in the list; the rest is in the item
  const byId = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // The theme: the system's, or the one that was chosen.
  const theme = byId("theme");
  const themes = ["system", "light", "dark"];
  const remember = (value) => { try { localStorage.setItem("planproof-theme", value); } catch { /* a file may have no storage */ } };
  const remembered = () => { try { return localStorage.getItem("planproof-theme"); } catch { return null; } };
  const wear = (value) => {
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    theme.querySelector("span").textContent = value;
  };
  let worn = themes.includes(remembered()) ? remembered() : "system";
  wear(worn);
  theme.hidden = false;
  theme.addEventListener("click", () => {
    worn = themes[(themes.indexOf(worn) + 1) % themes.length];
    wear(worn);
    remember(worn);
  });

  const list = byId("list");
  if (!list) return;
  const data = JSON.parse(byId("data").textContent);
  const text = (number) => data.strings[number || 0];
  const texts = (numbers) => (numbers || []).map(text);
  const row = (cells) => {
    const [id, group, status, blocking, label, title, message, entries, layers, place, evidence, replay, proposal, divergence, timeline] = cells;
    return { id: text(id), group: text(group), status: data.statuses[status], blocking, label: text(label), title: text(title), message: text(message), entries: texts(entries), layers: texts(layers), place: text(place), evidence: texts(evidence), replay: text(replay), proposal: text(proposal), divergence: divergence ? texts(divergence) : null, timeline: timeline || null };
  };

  // Two runs side by side: the longest common subsequence stands in the same rows.
  const aligned = (left, right, from) => {
    const rows = [];
    for (let at = 0; at < from; at += 1) rows.push([left[at], right[at]]);
    const one = left.slice(from), two = right.slice(from);
    const best = Array.from({ length: one.length + 1 }, () => new Uint16Array(two.length + 1));
    for (let a = one.length - 1; a >= 0; a -= 1) {
      for (let b = two.length - 1; b >= 0; b -= 1) {
        best[a][b] = one[a] === two[b] ? best[a + 1][b + 1] + 1 : Math.max(best[a + 1][b], best[a][b + 1]);
      }
    }
    // What either side has alone, up to the next common event, stands in shared rows.
    let a = 0, b = 0, ones = [], twos = [];
    const flush = () => {
      for (let at = 0; at < Math.max(ones.length, twos.length); at += 1) rows.push([ones[at], twos[at]]);
      ones = []; twos = [];
    };
    while (a < one.length || b < two.length) {
      if (a < one.length && b < two.length && one[a] === two[b]) { flush(); rows.push([one[a], two[b]]); a += 1; b += 1; }
      else if (b >= two.length || (a < one.length && best[a + 1][b] >= best[a][b + 1])) { ones.push(one[a]); a += 1; }
      else { twos.push(two[b]); b += 1; }
    }
    flush();
    return rows;
  };
  const timelineTable = ([left, right, first, out]) => {
    const table = make("table", undefined, "events");
    table.append(make("caption", `Both runs, event by event; they part at number ${first + out + 1}${out ? ` (${out} equal events before are left out)` : ""}.`));
    const head = make("tr");
    for (const name of ["no.", ...data.names]) { const cell = make("th", name); cell.scope = "col"; head.append(cell); }
    table.createTHead().append(head);
    const body = table.createTBody();
    let marked = false;
    aligned(left, right, first).forEach(([one, two], at) => {
      const line = make("tr");
      const differs = one !== two;
      if (differs) line.className = marked ? "differs" : "first differs";
      line.append(make("td", `${differs && !marked ? "▶ " : ""}${at + out + 1}`));
      marked = marked || differs;
      for (const side of [one, two]) line.append(side === undefined ? make("td", "—", "gap") : make("td", text(side)));
      body.append(line);
    });
    return table;
  };
  const copied = (command) => {
    const line = make("p");
    line.append("Replay: ", make("code", command));
    if (navigator.clipboard) {
      const button = make("button", "Copy", "copy");
      button.type = "button";
      button.addEventListener("click", async () => {
        try { await navigator.clipboard.writeText(command); button.textContent = "Copied"; } catch { button.textContent = "Not allowed here"; }
      });
      line.append(" ", button);
    }
    return line;
  };
  const fill = (body, item) => {
    if (item.title && item.title !== item.id) body.append(make("p", item.title));
    if (item.message.length > MESSAGE || !(item.title || item.place || item.divergence || item.evidence.length)) body.append(make("p", item.message));
    if (item.place) { const line = make("p", "At "); line.append(make("code", item.place)); body.append(line); }
    if (item.divergence) {
      const [where, left, right] = item.divergence;
      const facts = make("dl");
      facts.append(make("dt", "Differs"), make("dd", where), make("dt", data.names[0]), make("dd"), make("dt", data.names[1]), make("dd"));
      facts.children[3].append(make("code", left));
      facts.children[5].append(make("code", right));
      if (item.layers.length) facts.append(make("dt", "Layers"), make("dd", item.layers.join(", ")));
      if (item.entries.length) facts.append(make("dt", "Ledger"), make("dd", item.entries.join(", ")));
      body.append(facts);
    }
    if (item.timeline) body.append(timelineTable(item.timeline));
    for (const line of item.evidence) body.append(make("p", line));
    if (item.replay) body.append(copied(item.replay));
    if (item.proposal) {
      const more = make("details");
      more.append(make("summary", "If the difference is wanted: a ledger entry to start from"), make("pre", item.proposal));
      body.append(more);
    }
  };
  const entry = (item) => {
    const line = make("li");
    const details = make("details");
    const summary = make("summary", undefined, "row");
    const what = make("span", undefined, "what");
    what.append(item.id);
    if (item.message) what.append(make("span", item.message.length > MESSAGE ? `${item.message.slice(0, MESSAGE - 1)}…` : item.message, "message"));
    summary.append(make("b", item.label, `state s-${item.label === "advisory" ? "unknown" : item.status}`), what);
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const body = make("div", undefined, "body");
      fill(body, item);
      details.append(body);
    });
    line.append(details);
    return line;
  };

  const form = byId("filter"), more = byId("more"), shown = byId("shown");
  const rows = data.rows.map(row);
  let found = rows, drawn = 0;
  const draw = () => {
    const next = found.slice(drawn, drawn + STEP);
    list.append(...next.map(entry));
    drawn += next.length;
    more.hidden = drawn >= found.length;
    more.textContent = `Show ${Math.min(STEP, found.length - drawn)} more of ${found.length - drawn}`;
    shown.textContent = `${found.length} of ${rows.length} match${found.length > drawn ? `, ${drawn} are shown` : ""}.`;
  };
  const filter = () => {
    const wanted = (name) => (form.elements[name] ? form.elements[name].value : "");
    const words = wanted("text").toLowerCase().split(/\s+/).filter(Boolean);
    const status = wanted("status"), group = wanted("group"), ledger = wanted("entry");
    found = rows.filter((item) => (!status || (status === "blocking" ? item.blocking : item.status === status))
      && (!group || item.group === group) && (!ledger || item.entries.includes(ledger))
      && words.every((word) => `${item.id} ${item.message} ${item.title} ${item.place}`.toLowerCase().includes(word)));
    list.replaceChildren();
    drawn = 0;
    draw();
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const field of form.elements) if (field.name) field.value = "";
    filter();
  });
  more.addEventListener("click", () => {
    const first = drawn;
    draw();
    list.children[first]?.querySelector("summary").focus();
  });
  document.querySelectorAll("[data-entry]").forEach((button) => button.addEventListener("click", () => {
    for (const field of form.elements) if (field.name) field.value = "";
    form.elements.entry.value = button.dataset.entry;
    filter();
    byId("items").scrollIntoView();
    form.elements.entry.focus({ preventScroll: true });
  }));
  filter();
})();

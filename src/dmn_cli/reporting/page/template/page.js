"use strict";
// Lists the questions, filters them, and shows one pass by pass. Texts only ever become text nodes.
(() => {
  const data = JSON.parse(document.getElementById("questions-data").textContent);
  const PAGE = 100;
  const MARKS = [["✗", "wrong"], ["◐", "right for the wrong reason"], ["✓", "right"]];
  const byId = (id) => document.getElementById(id);
  const [list, story, task, search, more] = ["list", "story", "task", "search", "more"].map(byId);
  let found = [], room = PAGE, chosen = null, pass = -1;

  function make(name, properties = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key === "class") element.className = value;
      else if (key in element) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  const percent = (share) => (share >= 0.9995 ? "> 99.9" : (100 * share).toFixed(1)) + " %";
  const shade = (share) => "g g" + Math.round(20 * Math.min(1, Math.max(0, share)));

  const questions = data.questions.map((one, number) => {
    const facts = data.stories[one.story].slice(0, one.n).map((text) => data.texts[text]);
    const gates = one.gates.map((open) => {
      const row = new Array(one.n).fill(0);
      for (let i = 0; i < open.length; i += 2) row[open[i]] = open[i + 1] / 100;
      return row;
    });
    const searched = [one.question, one.answer, one.right, ...facts].join("\n").toLowerCase();
    return { ...one, number, facts, gates, searched };
  });

  for (const name of [...new Set(questions.map((one) => one.task))].sort(new Intl.Collator("en", { numeric: true }).compare)) {
    task.append(make("option", { value: name, textContent: name }));
  }

  if (!questions.some((one) => one.support.length)) document.querySelector("[name=outcome][value='1']").parentElement.hidden = true;
  const alike = new Set(questions.map((one) => one.question)).size === 1;

  // What tells a question from the others: its own words, or those of its text.
  function told(one) {
    if (!alike && !one.words) return one.question;
    const text = one.facts.join(" ");
    return text.length > 90 ? text.slice(0, 90) + "…" : text;
  }

  function filter() {
    const outcome = document.querySelector("[name=outcome]:checked").value;
    const words = search.value.toLowerCase().trim();
    found = questions.filter((one) =>
      (!task.value || one.task === task.value) &&
      (outcome === "" || one.outcome === Number(outcome)) &&
      (!words || one.searched.includes(words)));
    room = PAGE;
    byId("count").textContent = `${found.length.toLocaleString("en")} of ${questions.length.toLocaleString("en")} questions`;
    if (!found.includes(chosen)) chosen = found[0] || null;
    showList();
    showStory();
  }

  function showList() {
    list.replaceChildren(...found.slice(0, room).map((one) => {
      const [mark, meaning] = MARKS[one.outcome];
      const said = one.outcome ? one.answer : `${one.answer}, not ${one.right}`;
      const button = make("button", { type: "button" },
        make("span", { class: one.outcome ? "right" : "wrong", "aria-hidden": "true" }, mark),
        make("span", { class: "asked" }, make("span", { class: "sr" }, `${meaning}: `), told(one)),
        make("span", { class: "note" }, one.task),
        make("span", { class: "said" }, one.tags ? meaning : said, ` · ${percent(one.confidence)}`));
      button.dataset.number = one.number;
      if (one === chosen) button.setAttribute("aria-current", "true");
      return make("li", {}, button);
    }));
    more.hidden = found.length <= room;
  }

  function choose(one, focus) {
    chosen = one;
    for (const button of list.querySelectorAll("button")) {
      if (Number(button.dataset.number) === one.number) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    showStory();
    if (focus && matchMedia("(max-width: 52rem)").matches) {
      story.scrollIntoView({ block: "start" });
      story.focus({ preventScroll: true });
    }
  }

  function showStory() {
    if (!chosen) {
      story.replaceChildren(make("p", { class: "note" }, "No question is like that."));
      return;
    }
    const one = chosen;
    if (pass >= one.gates.length) pass = -1;
    const [mark, meaning] = MARKS[one.outcome];
    const verdict = make("p", {},
      make("span", { class: "task" }, one.task),
      make("strong", { class: one.outcome ? "right" : "wrong" }, `${mark} ${one.tags ? meaning : one.answer}`),
      ` ${percent(one.confidence)} sure`,
      ...(one.outcome || one.tags ? [] : [", right: ", make("strong", {}, one.right)]),
      ...(one.outcome === 1 ? [` (${meaning}: ${data.why ? "it needs other facts, or none" : "it didn't read all supporting facts"})`] : []));
    story.replaceChildren(make("h3", {}, one.question), verdict, ...(one.gates.length ? [passes(one)] : []),
      one.words ? words(one) : table(one), ...notes(one));
  }

  function passes(one) {
    const choice = (value, text) => make("label", {},
      make("input", { type: "radio", name: "pass", value, checked: pass === value }), make("span", {}, text));
    const choices = make("span", { class: "choices" }, choice(-1, "all"), ...one.gates.map((_, t) => choice(t, String(t + 1))));
    return make("fieldset", { class: "passes" }, make("legend", { class: "sr" }, "Pass"), "Pass", choices);
  }

  function furthest(one, fact) {
    return Math.max(0, ...one.gates.map((row) => row[fact]));
  }

  function star(one, fact) {
    if (!one.support.includes(fact)) return [];
    return [make("span", { class: "star", title: "supporting fact" }, " ★", make("span", { class: "sr" }, " supporting fact"))];
  }

  function table(one) {
    const shown = pass < 0 ? one.gates : [one.gates[pass]];
    const names = pass < 0 ? one.gates.map((_, t) => `pass ${t + 1}`) : [`pass ${pass + 1}`];
    const head = make("tr", {}, ...["fact", ...names].map((text) => make("th", { scope: "col" }, text)));
    const rows = one.facts.map((fact, i) => make("tr", {},
      make("th", { scope: "row", class: one.read.includes(i) ? "read" : "" }, `${i + 1}. ${fact}`, ...star(one, i)),
      ...shown.map((row) => make("td", { class: shade(row[i]) }, row[i] ? row[i].toFixed(2) : ""))));
    return make("table", { class: "gates" }, make("caption", { class: "sr" }, "How far each pass let each fact through, from 0 to 1"),
      make("thead", {}, head), make("tbody", {}, ...rows));
  }

  function words(one) {
    const gate = (i) => (pass < 0 ? furthest(one, i) : one.gates.length ? one.gates[pass][i] : 0);
    const darkest = Math.max(0.01, ...one.facts.map((_, i) => furthest(one, i)));
    return make("p", { class: "words" }, ...one.facts.flatMap((fact, i) => {
      const span = make("span", { class: shade(gate(i) / darkest), title: gate(i).toFixed(2) }, fact);
      if (!one.tags) return [span, " "];
      const wrong = one.tags[i] !== one.right_tags[i];
      const tag = wrong ? `${one.tags[i]}, not ${one.right_tags[i]}` : one.tags[i];
      return [make("span", { class: "tagged" }, span, make("span", { class: wrong ? "wrong" : "" }, tag)), " "];
    }));
  }

  function notes(one) {
    const said = [];
    if (one.gates.length) said.push(one.words ? "The stronger the colour, the further a word was let through." : "Bold: read in some pass.");
    if (one.support.length) said.push("★ supporting fact.");
    if (one.needs && !one.needs.length) said.push("No fact that was left out changes the answer.");
    return [...(one.needs || []).map(need), make("p", { class: "note" }, said.join(" "))];
  }

  function need([facts, answer, confidence]) {
    const which = facts.map((fact) => fact + 1).join(" and ");
    return make("p", { class: "need" }, `Without ${facts.length > 1 ? "facts" : "fact"} ${which}: ${answer} (${percent(confidence)})`);
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(questions[Number(button.dataset.number)], true);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (step && next) {
      event.preventDefault();
      next.focus();
      choose(questions[Number(next.dataset.number)], false);
    }
  });
  story.addEventListener("change", (event) => {
    pass = Number(event.target.value);
    showStory();
    story.querySelector("[name=pass]:checked").focus();
  });
  more.addEventListener("click", () => {
    room += PAGE;
    showList();
    list.querySelectorAll("button")[room - PAGE].focus();
  });
  for (const event of ["input", "change"]) byId("filters").addEventListener(event, filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  filter();
})();

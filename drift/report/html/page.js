"use strict";
// The list of findings: search, filters, expand and collapse, links to a finding. Text is never inserted as markup.
// Only the objects near the viewport are in the document, so that the page stays fast with ten thousand objects.
(() => {
  const CHUNK = 60; // findings added at a time

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // --- Data ---

  // One row for each finding, and one for each object without findings. An entry of the list is an object, or a group of
  // objects with the same finding. The lead of a row stands in the document: the row itself, or that of its group.
  const rows = data.objects.flatMap((entry) => {
    if (entry.members) return groupRows(entry);
    return (entry.findings.length ? entry.findings : [null]).map((finding) => newRow(entry, entry, finding));
  });
  const rowById = new Map();
  for (const row of rows) {
    if (row.finding && !rowById.has(row.finding.id)) rowById.set(row.finding.id, row);
  }

  function newRow(entry, object, finding, lead) {
    const row = { entry, object, finding, nonDrift: Boolean(finding?.nonDrift), open: false };
    row.text = searchText(object, finding);
    row.lead = lead ?? row;
    return row;
  }

  function groupRows(entry) {
    const [finding] = entry.findings;
    const lead = newRow(entry, entry, finding);
    return entry.members.map((member) => newRow(entry, { ...entry, ...member }, { ...finding, ...member }, lead));
  }

  const FACETS = [
    { key: "severity", title: "Severity", valueOf: (row) => row.finding?.severity },
    { key: "security", title: "Security", valueOf: (row) => row.finding?.security ?? undefined },
    { key: "cause", title: "Cause", valueOf: (row) => row.finding?.cause, label: (value) => data.causes[value] },
    { key: "status", title: "Status", valueOf: (row) => row.object.status },
    { key: "lifecycle", title: "History", valueOf: (row) => row.finding?.lifecycle ?? undefined },
    { key: "who", title: "Changed by", valueOf: (row) => changedBy(row.finding?.actors ?? []) },
    { key: "cluster", title: "Cluster", valueOf: (row) => row.object.cluster ?? undefined },
    { key: "namespace", title: "Namespace", valueOf: (row) => row.object.namespace ?? "(none: cluster-scoped)" },
    { key: "kind", title: "Kind", valueOf: (row) => row.object.kind },
  ].map((facet) => ({ ...facet, selected: new Set(), counts: new Map(), options: new Map() }));

  const changedBy = (actors) => actors.find(({ user }) => user)?.user ?? actors[0]?.manager;

  function searchText(object, finding) {
    const parts = [object.kind, `${object.namespace ?? ""}/${object.name}`, object.cluster, object.source];
    parts.push(object.digest, object.reason);
    if (finding) {
      const { id, pathStart, pathEnd, difference, row, lines, note, actors, ignored, security } = finding;
      parts.push(id, (pathStart ?? "") + (pathEnd ?? ""), difference, note, ignored, security);
      parts.push(...(lines.length ? lines : row).map((line) => line.slice(1).join("")));
      parts.push(...actors.flatMap(({ manager, user }) => [manager, user]));
    }
    return parts.filter(Boolean).join("\n").toLowerCase();
  }

  // --- Elements ---

  function element(tag, className, ...children) {
    const result = document.createElement(tag);
    if (className) result.className = className;
    result.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return result;
  }

  // A copy of a template of the page, with these values.
  function filled(template, values) {
    const result = byId(template).content.firstElementChild.cloneNode(true);
    for (const part of [result, ...result.querySelectorAll("[data-if], [data-slot], [data-time], [data-class], [data-lines]")]) {
      const { if: condition, slot, time, class: kind, lines } = part.dataset;
      if ([condition, slot, time].some((name) => name && (values[name] ?? null) === null)) part.remove();
      else if (slot) part.append(values[slot]);
      else if (time) showTime(part, values[time]);
      else if (lines && values[lines].length) part.append(...values[lines].map(lineElement));
      else if (lines) part.remove();
      if (kind && values[kind]) part.classList.add(values[kind]);
    }
    return result;
  }

  // A line of a value or a diff. Its pieces equal the other side and differ from it by turns.
  function lineElement([mark, ...pieces]) {
    const [kind, side] = data.kinds[mark];
    const result = filled("line", { kind, side });
    const parts = pieces.map((piece, index) => (index % 2 ? element("mark", "", piece) : piece));
    result.querySelector("code").append(...parts);
    return result;
  }

  const rank = (finding) => data.order.severity.indexOf(finding.severity);

  function entryElement(entry, entryRows) {
    const worst = entryRows[0].finding;
    const result = filled("object", { ...entry, ...titleOf(entry, entryRows), rank: worst && `r${rank(worst)}` });
    if (entry.members) {
      result.append(findingElement(entryRows[0].lead, entryRows));
      return result;
    }
    const findings = entryRows.filter((row) => row.finding);
    const shown = entry.expanded || printing ? findings : findings.slice(0, data.limits.findings);
    result.append(...shown.map((row) => findingElement(row)));
    if (shown.length < findings.length) {
      const button = element("button", "more", `Show ${findings.length - shown.length} more of this object`);
      button.type = "button";
      button.addEventListener("click", () => {
        entry.expanded = true;
        const added = findings.slice(shown.length).map((row) => findingElement(row));
        button.replaceWith(...added);
        added[0].firstElementChild.focus();
      });
      result.append(button);
    }
    return result;
  }

  // A group has a title instead of a name. It says how many of its objects match the search and the filters.
  function titleOf(entry, entryRows) {
    if (!entry.members) return {};
    const matching = entryRows.length < entry.members.length ? `: ${entryRows.length} match` : "";
    return { title: entry.title + matching };
  }

  function findingElement(row, members = []) {
    const { finding } = row;
    const result = filled("finding", { ...finding, rank: `s${rank(finding)}` });
    result.classList.toggle("non-drift", row.nonDrift);
    // The body is added when the finding is first opened. Toggle events are asynchronous, which is too late for printing,
    // so a finding that is already open gets its body at once.
    const addBody = () => result.childElementCount === 1 && result.append(bodyElement(finding, members));
    result.open = row.open || printing;
    if (result.open) addBody();
    result.addEventListener("toggle", () => {
      if (row.element === result && !printing) row.open = result.open;
      if (result.open) addBody();
    });
    row.element = result;
    return result;
  }

  function bodyElement(finding, members) {
    const { actors, id } = finding;
    const result = filled("body", { ...finding, causeText: data.causes[finding.cause] });
    result.querySelector('[data-if="causeText"]').after(...actors.map((actor) => filled("actor", actor)));
    for (const command of result.querySelectorAll(".command code")) command.after(copyButton(command));
    if (id !== null) result.querySelector("a").href = linkTo(id);
    if (members.length) result.append(element("ul", "members", ...members.slice(0, data.limits.members).map(memberElement)));
    const left = members.length - data.limits.members;
    if (left > 0) result.lastElementChild.append(element("li", "", `${left} more`));
    return result;
  }

  const linkTo = (id) => `#${encodeURIComponent(id)}`;

  function memberElement({ object, finding }) {
    const result = filled("member", { ...object, ...finding });
    result.querySelector("a").href = linkTo(finding.id);
    return result;
  }

  // --- Commands ---

  function copyButton(code) {
    const button = element("button", "copy", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      const isCopied = await copy(code);
      for (const other of document.querySelectorAll(".copy")) other.textContent = "Copy";
      button.textContent = isCopied ? "Copied" : "Press Ctrl+C";
    });
    return button;
  }

  // Copies the text of an element. What cannot be copied, for example because the page came without TLS, stays selected.
  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(code);
      const isCopied = document.execCommand("copy");
      if (isCopied) getSelection().removeAllRanges();
      return isCopied;
    }
  }

  // --- Times ---

  const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const CLOCK_SKEW = 60; // seconds by which clocks may differ

  // Shows how long ago a time was; the time itself if it is in the future.
  function showTime(time, at = time.dateTime) {
    time.dateTime = at;
    const text = at.replace("T", " ").replace("Z", " UTC");
    const seconds = Math.floor((Date.now() - Date.parse(at)) / 1000);
    const [size, unit] = UNITS.find(([one]) => seconds >= one) ?? UNITS.at(-1);
    const age = seconds < -CLOCK_SKEW ? text : `${Math.floor(Math.max(seconds, 0) / size)}${unit} ago`;
    time.textContent = "full" in time.dataset && age !== text ? `${age} (${text})` : age;
    time.title = text;
  }

  const showTimes = () => document.querySelectorAll("time[datetime]").forEach((time) => showTime(time));

  // --- The list ---

  const list = byId("list");
  const more = byId("more");
  let groups = []; // the rows that match, grouped by object
  let added = 0; // how many groups are in the document
  let printing = false;
  const nearEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && addMore(), {
    rootMargin: "800px",
  });

  function apply() {
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const withNonDrift = byId("non-drift").checked;
    for (const facet of FACETS) facet.counts.clear();
    groups = [];
    let findings = 0;
    for (const row of rows) {
      if ((row.nonDrift && !withNonDrift) || !words.every((word) => row.text.includes(word))) continue;
      const excluding = FACETS.filter((facet) => facet.selected.size && !facet.selected.has(facet.valueOf(row)));
      // The number beside an option ignores the selection in its own facet: it is what selecting the option would show.
      if (excluding.length < 2) (excluding.length ? excluding : FACETS).forEach((facet) => count(facet, row));
      if (excluding.length) continue;
      if (row.finding) findings += 1;
      if (groups.at(-1)?.[0].entry === row.entry) groups.at(-1).push(row);
      else groups.push([row]);
    }
    showCounts();
    byId("count").textContent = groups.length
      ? `${plural(findings, "finding")} in ${plural(new Set(groups.flat().map(nameOf)).size, "object")}`
      : "Nothing matches";
    fill();
  }

  const nameOf = ({ object }) => [object.cluster, object.kind, object.namespace, object.name].join("\n");

  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  function count(facet, row) {
    const value = facet.valueOf(row);
    facet.counts.set(value, (facet.counts.get(value) ?? 0) + 1);
  }

  // Rebuilds the list, at least up to the group with an index.
  function fill(index = 0) {
    list.replaceChildren(groups.length ? element("ol", "objects") : element("p", "empty", emptyText()));
    added = 0;
    addMore(index);
  }

  function emptyText() {
    if (!rows.length) return "No object differs from Git.";
    if (rows.every((row) => row.nonDrift)) return "No drift: all differences are ignored by rules or made by controllers.";
    return "Nothing matches the search and the filters.";
  }

  function addMore(index = 0) {
    let findings = 0;
    const chunk = document.createDocumentFragment();
    for (; added < groups.length && (printing || added <= index || findings < CHUNK); added += 1) {
      const group = groups[added];
      const { entry } = group[0];
      if (data.sources.length && groups[added - 1]?.[0].entry.sourceIndex !== entry.sourceIndex) {
        chunk.append(element("li", "group", element("h3", "", data.sources[entry.sourceIndex] ?? data.noSource)));
      }
      chunk.append(entryElement(entry, group));
      findings += entry.members ? 1 : Math.min(group.length, data.limits.findings);
    }
    if (groups.length) list.firstElementChild.append(chunk);
    more.hidden = added === groups.length;
    more.textContent = `Show more: ${(groups.length - added).toLocaleString("en")} left`;
    // Observing again reports the button again if it is still near the viewport.
    nearEnd.unobserve(more);
    nearEnd.observe(more);
  }

  function openAll(open) {
    for (const { lead } of groups.flat()) {
      lead.open = open;
      if (lead.element?.isConnected) lead.element.open = open;
    }
  }

  // --- Links to one finding ---

  function openLinked() {
    const row = rowById.get(linkedId());
    if (!row) return;
    const groupIndex = () => groups.findIndex((group) => group.includes(row));
    if (groupIndex() < 0) {
      reset();
      byId("non-drift").checked = row.nonDrift;
      apply();
    }
    row.lead.open = row.entry.expanded = true;
    fill(groupIndex());
    const target = row.lead.element;
    target.classList.add("target");
    target.scrollIntoView({ block: "center" });
    target.firstElementChild.focus({ preventScroll: true });
  }

  function linkedId() {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch {
      return ""; // not the id of a finding
    }
  }

  // --- Filters ---

  function buildFacet(facet) {
    const present = new Set(rows.map(facet.valueOf));
    present.delete(undefined);
    const order = data.order[facet.key];
    const values = order ? order.filter((value) => present.has(value)) : [...present].sort((a, b) => a.localeCompare(b));
    if (values.length < 2) return;
    const options = values.map((value) => {
      const box = element("input");
      box.type = "checkbox";
      box.value = value;
      box.addEventListener("change", () => {
        if (box.checked) facet.selected.add(value);
        else facet.selected.delete(value);
        apply();
      });
      const number = element("span", "number");
      const label = element("label", "", box, element("span", "option", facet.label?.(value) ?? value), number);
      facet.options.set(value, { box, label, number });
      return label;
    });
    const group = element("fieldset", "", element("legend", "", facet.title), element("div", "options", ...options));
    group.dataset.facet = facet.key;
    byId("facets").append(group);
  }

  function showCounts() {
    for (const facet of FACETS) {
      for (const [value, { label, number }] of facet.options) {
        const count = facet.counts.get(value) ?? 0;
        number.textContent = count.toLocaleString("en");
        label.classList.toggle("none", count === 0);
      }
    }
  }

  function reset() {
    byId("words").value = "";
    byId("non-drift").checked = false;
    for (const facet of FACETS) {
      facet.selected.clear();
      for (const { box } of facet.options.values()) box.checked = false;
    }
  }

  // --- The page of drift watch ---

  const POLL = 3_000; // milliseconds between two questions whether the report has changed
  const STATE = "drift";

  // Loads the page again when the report has changed. What the user opened, searched and selected stays.
  function keepCurrent(revision) {
    const say = (text, isProblem) => {
      // A screen reader announces each change, so there are no others.
      if (byId("live-text").textContent !== text) byId("live-text").textContent = text;
      byId("live").classList.toggle("outdated", isProblem);
    };
    async function ask() {
      let hasChanged = false;
      try {
        const response = await fetch("live.json", { cache: "no-store" });
        const state = await response.json();
        for (const name of ["scanned", "contact"]) {
          if (state[name] && byId(`live-${name}`)) showTime(byId(`live-${name}`), state[name]);
        }
        if (state.current) say("This page refreshes itself.", false);
        else say("This page refreshes itself, but the report is incomplete or outdated.", true);
        hasChanged = state.revision !== revision;
      } catch {
        say("drift watch does not answer, so this page may be outdated.", true);
      }
      setTimeout(ask, POLL);
      // A reload would interrupt printing, and drop a selection that the user is about to copy.
      if (hasChanged && !printing && getSelection().isCollapsed) reload();
    }
    setTimeout(ask, POLL);
  }

  function reload() {
    // The first finding that is visible stays where it is, whatever is added above it.
    const topOf = ({ lead }) => lead.element.getBoundingClientRect().top;
    const anchor = rows.find((row) => row.lead.element?.isConnected && topOf(row) >= 0);
    const state = {
      words: byId("words").value,
      isSearching: document.activeElement === byId("words"),
      nonDrift: byId("non-drift").checked,
      selected: FACETS.map((facet) => [facet.key, [...facet.selected]]),
      open: rows.filter((row) => row.finding && row.lead.open).map((row) => row.finding.id),
      theme: document.documentElement.dataset.theme ?? "",
      anchor: scrollY > 0 ? anchor?.finding.id : undefined,
      top: anchor && topOf(anchor),
    };
    sessionStorage.setItem(STATE, JSON.stringify(state));
    history.scrollRestoration = "manual";
    location.reload();
  }

  // Restores what `reload` kept. Returns whether there was anything.
  function restored() {
    const text = sessionStorage.getItem(STATE);
    sessionStorage.removeItem(STATE);
    if (!text) return false;
    const state = JSON.parse(text);
    byId("words").value = state.words;
    byId("non-drift").checked = state.nonDrift;
    for (const [key, values] of state.selected) {
      const facet = FACETS.find((one) => one.key === key);
      for (const value of values.filter((one) => facet.options.has(one))) {
        facet.selected.add(value);
        facet.options.get(value).box.checked = true;
      }
    }
    for (const row of state.open.map((id) => rowById.get(id)).filter(Boolean)) row.lead.open = row.entry.expanded = true;
    if (state.theme) byId("theme").querySelector(`[value="${state.theme}"]`).click();
    apply();
    const row = rowById.get(state.anchor);
    const index = groups.findIndex((group) => group.includes(row));
    if (index >= 0) {
      fill(index);
      const align = () => scrollBy(0, (row.lead.element?.getBoundingClientRect().top ?? state.top) - state.top);
      align();
      // Objects that come into view get their real height only now, which moves what is below them.
      requestAnimationFrame(() => requestAnimationFrame(align));
    }
    if (state.isSearching) byId("words").focus({ preventScroll: true });
    return true;
  }

  // --- Start ---

  FACETS.forEach(buildFacet);
  byId("filters").hidden = !byId("facets").hasChildNodes();
  const nonDrift = rows.filter((row) => row.nonDrift).length;
  byId("non-drift-text").textContent = `Show ${nonDrift.toLocaleString("en")} ignored or made by a controller`;
  byId("non-drift-label").hidden = nonDrift === 0;
  byId("actions").hidden = byId("search").hidden = rows.length === 0;
  byId("theme").hidden = false;

  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("words").addEventListener("input", apply);
  byId("non-drift").addEventListener("change", apply);
  byId("reset").addEventListener("click", () => {
    reset();
    apply();
  });
  byId("expand").addEventListener("click", () => openAll(true));
  byId("collapse").addEventListener("click", () => openAll(false));
  more.addEventListener("click", () => addMore());
  // Who changed most: a name searches for its findings.
  for (const name of document.querySelectorAll(".strip b")) {
    const button = element("button", "name", name.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      byId("words").value = name.textContent;
      apply();
      byId("words").scrollIntoView();
    });
    name.replaceWith(button);
  }
  byId("theme").addEventListener("change", (event) => {
    document.documentElement.dataset.theme = event.target.value;
  });
  const wide = matchMedia("(min-width: 60rem)");
  const arrange = () => (byId("filters").open = wide.matches);
  wide.addEventListener("change", arrange);
  arrange();
  // Printing shows all findings that match the filters, expanded.
  addEventListener("beforeprint", () => {
    printing = true;
    fill();
  });
  addEventListener("afterprint", () => {
    printing = false;
    for (const { lead } of rows) lead.element = null;
    fill();
  });
  addEventListener("hashchange", openLinked);
  showTimes();
  setInterval(showTimes, 30_000);
  const live = byId("live");
  if (!live || !restored()) {
    apply();
    openLinked();
  }
  if (live) keepCurrent(live.dataset.revision);
})();

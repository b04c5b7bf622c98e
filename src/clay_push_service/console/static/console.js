// Optional behaviour of the pages: theme, keyboard shortcuts, copy buttons, selection of rows. Links and forms work without it.
(() => {
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* storage may be blocked */ } };
  const SHORTCUTS = 'clay_console_shortcuts';
  const shortcuts = document.getElementById('shortcuts');
  const useShortcuts = () => stored(SHORTCUTS) !== 'off';

  const toggleTheme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    store('theme', root.dataset.theme);
  };
  const openShortcuts = () => {
    shortcuts.querySelector('[data-action="toggle-shortcuts"]').checked = useShortcuts();
    shortcuts.showModal();
  };
  // navigator.clipboard exists only over https and on this machine; elsewhere the text is selected and copied.
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (source.select) {
        source.select();
      } else {
        const range = document.createRange();
        range.selectNodeContents(source);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
      }
      document.execCommand('copy');
    }
    const label = button.querySelector('span') ?? button;
    const before = label.textContent;
    label.textContent = 'Copied';
    setTimeout(() => { label.textContent = before; }, 2000);
  };

  document.addEventListener('click', (event) => {
    const target = event.target.closest('[data-action], [data-copy]');
    if (!target) return;
    if (target.dataset.copy) copy(target);
    if (target.dataset.action === 'theme') toggleTheme();
    if (target.dataset.action === 'shortcuts') openShortcuts();
  });
  document.addEventListener('change', (event) => {
    const box = event.target;
    if (box.dataset.action === 'toggle-shortcuts') store(SHORTCUTS, box.checked ? 'on' : 'off');
    if (box.dataset.action === 'submit') box.form.requestSubmit();
    const boxes = [...document.querySelectorAll('input[name="lead_id"][type="checkbox"]')];
    if (box.dataset.action === 'select-all') boxes.forEach((each) => { each.checked = box.checked; });
    const count = document.querySelector('[data-selected]');
    if (count) count.textContent = boxes.filter((each) => each.checked).length;
  });
  // A row of tabs that is wider than the window shows the current tab.
  for (const link of document.querySelectorAll('.tabs [aria-current]')) {
    const tabs = link.closest('.tabs');
    tabs.scrollLeft = link.offsetLeft - tabs.offsetLeft - 16;
  }
  // A preview that htmx has loaded opens as a dialog; without htmx it is a page.
  document.addEventListener('htmx:after:swap', () => {
    const sheet = document.getElementById('sheet');
    if (sheet && !sheet.open && document.querySelector('#sheet-content > *')) sheet.showModal();
  });

  const move = (step) => {
    const rows = [...document.querySelectorAll('[data-row]')];
    const at = rows.findIndex((row) => row.contains(document.activeElement) || row === document.activeElement);
    rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.focus();
  };
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, select, textarea, [contenteditable], dialog');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !useShortcuts()) return;
    if (event.key === '/') document.querySelector('[data-search]')?.focus();
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === '?') openShortcuts();
    else return;
    event.preventDefault();
  });
})();

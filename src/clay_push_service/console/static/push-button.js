// <clay-push-button lead-id="…">: pushes one lead to Clay over the REST API. Attributes and states: docs/console.md.
const LABELS = {
  ready: 'Push to Clay', locked: 'Push to Clay (Enterprise)', 'not-configured': 'Configure Clay',
  'in-clay': 'Already in Clay', working: 'Pushing to Clay', unavailable: 'Push to Clay',
};
// `clay.state` of GET /api/clay/leads; any other state is checked by the service.
const BUTTON_STATES = {
  never: 'ready', failed: 'ready', in_clay: 'in-clay', changed: 'in-clay', unknown: 'in-clay', pushing: 'working',
};
const IN_CLAY = ['already_in_clay', 'maybe_in_clay'];
const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

class ClayPushButton extends HTMLElement {
  static observedAttributes = ['lead-id', 'clay-state'];
  #note = document.createElement('span');
  #key = '';

  connectedCallback() {
    this.#note.role = 'status';
    this.#start();
  }

  attributeChangedCallback(name, before, after) {
    if (this.#key && before !== after) this.#start();
  }

  #start() {
    // One idempotency key per lead, so that a second click or a repeated request creates no second push.
    this.#key = `button-${Date.now()}-${Math.random()}`;
    const state = BUTTON_STATES[this.getAttribute('clay-state')];
    if (state) this.#show(state);
    else this.#request('preview', ({ blocked, message, skipped: [skipped] }) => {
      if (blocked) return ['unavailable', message];
      if (!skipped) return ['ready'];
      return IN_CLAY.includes(skipped.cause) ? ['in-clay'] : ['unavailable', skipped.message];
    });
  }

  #push() {
    this.#show('working');
    this.#request('push', (push) => {
      if (push.lead_count === push.skipped_count) return ['unavailable', push.message];
      this.dispatchEvent(new CustomEvent('clay-push', { bubbles: true, detail: push }));
      return ['working', 'Pushing 1 lead to Clay...'];
    });
  }

  // Ignores the response if the element has another lead by then.
  async #request(path, next) {
    const key = this.#key;
    const shown = await this.#post(path).then(next).catch((error) => this.#problem(error));
    if (key === this.#key) this.#show(...shown);
  }

  async #post(path) {
    const project = this.getAttribute('project-id');
    const body = { lead_ids: [this.getAttribute('lead-id')], ...(project && { project_id: project }) };
    const org = stored('activeOrgId');
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${stored('token')}` };
    if (org) headers['X-Org-Id'] = org;
    if (path === 'push') headers['Idempotency-Key'] = this.#key;
    const response = await fetch(`/api/clay/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const result = await response.json();
    if (!response.ok) throw result;
    return result;
  }

  // `error`: a problem document of the service, or a failed request.
  #problem(error) {
    if (error.code === 'enterprise_required') return ['locked', error.detail, error.upgrade_url];
    if (error.code === 'clay_not_configured') return ['not-configured', error.detail];
    return ['ready', error.detail ?? 'NexusLeads cannot be reached. Try again.'];
  }

  #show(state, note = '', link = '') {
    const pages = { 'not-configured': 'integrations/clay', 'in-clay': `leads/${this.getAttribute('lead-id')}` };
    const href = pages[state] ? `/console/${pages[state]}` : /^https?:/.test(link) && link;
    const control = document.createElement(href ? 'a' : 'button');
    control.textContent = LABELS[state];
    if (href) control.href = href;
    else {
      control.type = 'button';
      if (state === 'ready') control.addEventListener('click', () => this.#push());
      else control.ariaDisabled = 'true'; // stays focusable, unlike `disabled`
    }
    const focused = this.contains(document.activeElement);
    this.dataset.state = state;
    this.#note.textContent = note;
    this.replaceChildren(control, this.#note);
    if (focused) control.focus();
  }
}
customElements.define('clay-push-button', ClayPushButton);

// Holds exported events against what OCSF 1.8 demands of the classes that Writ uses: required attributes, their types, the values of
// every enum, constraints (at least one of), captions that belong to their ids. An attribute that a class does not have is a failure.
//
//   node event_ocsf.cjs EVENTS.ocsf
'use strict';
const fs = require('fs');

let failures = 0;
let where = '';
const complain = text => { failures++; console.log(`${where}: ${text}`); };

// Kinds of values. `o` is an object with required and optional members and at least one of some.
const is = { text: v => typeof v === 'string' && v !== '', int: v => Number.isInteger(v), bool: v => typeof v === 'boolean', any: () => true,
  texts: v => Array.isArray(v) && v.length > 0 && v.every(t => typeof t === 'string' && t !== '') };
const o = (required, optional = {}, oneOf = []) => ({ required, optional, oneOf });
const list = of => ({ list: of });

// `x_id` with the caption in `x`; 99 is Other, whose caption is the source's own and must be there.
const enums = {
  severity: ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal'],
  status: ['Unknown', 'Success', 'Failure'],
  finding_status: ['Unknown', 'New', 'In Progress', 'Suppressed', 'Resolved', 'Archived', 'Deleted'],
  action: ['Unknown', 'Allowed', 'Denied'],
  disposition: ['Unknown', 'Allowed', 'Blocked', 'Quarantined', 'Isolated', 'Deleted', 'Dropped', 'Custom Action', 'Approved', 'Restored', 'Exonerated',
    'Corrected', 'Partially Corrected', 'Uncorrected', 'Delayed', 'Detected', 'No Action', 'Logged', 'Tagged', 'Alert', 'Count', 'Reset', 'Captcha',
    'Challenge', 'Access Revoked', 'Rejected', 'Unauthorized', 'Error'],
  user_type: ['Unknown', 'User', 'Admin', 'System'],
  endpoint_type: ['Unknown', 'Server', 'Desktop', 'Laptop', 'Tablet', 'Mobile', 'Virtual', 'IOT', 'Browser', 'Firewall', 'Switch', 'Hub', 'Router', 'IDS', 'IPS', 'Load Balancer'],
};
function captioned(object, member, names, { other = true, needsCaption = true } = {}) {
  const id = object[`${member}_id`];
  if (id === undefined) return;
  const caption = object[member === 'activity' ? 'activity_name' : member];
  if (id === 99 && other) { if (!is.text(caption)) complain(`${member}_id 99 without the source's own caption`); return; }
  if (!Number.isInteger(id) || names[id] === undefined) complain(`${member}_id ${id} is no value of the enum`);
  else if (needsCaption ? caption !== names[id] : caption !== undefined && caption !== names[id]) complain(`${member} \`${caption}\` is not the caption of ${id}, \`${names[id]}\``);
}

const user = o({}, { uid: is.text, name: is.text, type_id: is.int, type: is.text }, ['uid', 'name']);
const endpoint = o({}, { name: is.text, hostname: is.text, uid: is.text, type_id: is.int, type: is.text }, ['name', 'hostname', 'uid']);
const policy = o({}, { uid: is.text, name: is.text, version: is.text, is_applied: is.bool }, ['uid', 'name']);
const shapes = {
  actor: o({}, { user, app_uid: is.text, app_name: is.text, session: o({}, { uid: is.text }) }, ['user', 'app_uid', 'app_name', 'session']),
  metadata: o({ version: is.text, product: o({}, { name: is.text, vendor_name: is.text, version: is.text }, ['name']) },
    { uid: is.text, sequence: is.int, log_name: is.text, tenant_uid: is.text, correlation_uid: is.text, profiles: is.texts }),
  api: o({ operation: is.text }, { service: o({}, { name: is.text, uid: is.text }, ['name', 'uid']), request: o({ uid: is.text }) }),
  src_endpoint: endpoint, dst_endpoint: endpoint, user,
  app: o({}, { name: is.text, vendor_name: is.text, uid: is.text }, ['name', 'uid']),
  service: o({}, { name: is.text, uid: is.text }, ['name', 'uid']),
  privileges: is.texts,
  entity: o({}, { type: is.text, uid: is.text, name: is.text }, ['uid', 'name']),
  databucket: o({}, { name: is.text, uid: is.text }, ['name', 'uid']),
  finding_info: o({ uid: is.text }, { title: is.text, types: is.texts }),
  http_request: o({}, { uid: is.text, http_method: is.text }),
  authorizations: list(o({}, { decision: is.text, policy }, ['decision', 'policy'])),
};

// What every event may have, and what each class adds: activities, required and optional attributes, at least one of.
const base = { required: { class_uid: is.int, category_uid: is.int, activity_id: is.int, type_uid: is.int, time: is.int, severity_id: is.int, metadata: shapes.metadata },
  optional: { activity_name: is.text, message: is.text, status_id: is.int, status: is.text, status_code: is.text, status_detail: is.text, duration: is.int, unmapped: is.any } };
const profiles = {
  host: { actor: shapes.actor },
  security_control: { action_id: is.int, action: is.text, disposition_id: is.int, disposition: is.text, authorizations: shapes.authorizations },
};
const classes = {
  0: { activities: {} },
  2004: { activities: { 1: 'Create', 2: 'Update', 3: 'Close' }, required: ['finding_info'] },
  3002: { activities: { 1: 'Logon', 2: 'Logoff', 3: 'Authentication Ticket', 4: 'Service Ticket Request', 5: 'Service Ticket Renew' }, required: ['user'],
    optional: ['actor', 'service', 'dst_endpoint'], oneOf: ['service', 'dst_endpoint'] },
  3003: { activities: { 1: 'Assign Privileges', 2: 'Assign Groups', 3: 'Assign Roles' }, required: ['user'], optional: ['actor', 'privileges'], oneOf: ['privileges', 'group'] },
  3004: { activities: { 1: 'Create', 2: 'Read', 3: 'Update', 4: 'Delete', 5: 'Move', 6: 'Enroll', 7: 'Unenroll', 8: 'Enable', 9: 'Disable', 10: 'Activate',
    11: 'Deactivate', 12: 'Suspend', 13: 'Resume' }, required: ['entity'], optional: ['actor'] },
  4002: { activities: { 1: 'Connect', 2: 'Delete', 3: 'Get', 4: 'Head', 5: 'Options', 6: 'Post', 7: 'Put', 8: 'Trace', 9: 'Patch' },
    optional: ['http_request', 'src_endpoint', 'dst_endpoint'], oneOf: ['http_request', 'http_response'] },
  6002: { activities: { 1: 'Install', 2: 'Remove', 3: 'Start', 4: 'Stop' }, required: ['app'] },
  6003: { activities: { 1: 'Create', 2: 'Read', 3: 'Update', 4: 'Delete' }, required: ['actor', 'api', 'src_endpoint'] },
  6005: { activities: { 1: 'Read', 2: 'Update', 3: 'Connect', 4: 'Query', 5: 'Write', 6: 'Create', 7: 'Delete', 8: 'List', 9: 'Encrypt', 10: 'Decrypt' },
    required: ['actor', 'src_endpoint'], optional: ['databucket'], oneOf: ['database', 'databucket', 'table'] },
  6008: { activities: { 1: 'General Error', 2: 'Translation Error' } },
};

function check(value, shape, path) {
  if (typeof shape === 'function') { if (!shape(value)) complain(`${path} is ${JSON.stringify(value)}`); return; }
  if (shape.list) {
    if (!Array.isArray(value)) complain(`${path} is no list`);
    else value.forEach((entry, i) => check(entry, shape.list, `${path}[${i}]`));
    return;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) { complain(`${path} is no object`); return; }
  for (const member of Object.keys(shape.required)) if (value[member] === undefined) complain(`${path}.${member} is missing`);
  for (const [member, inner] of Object.entries(value)) {
    const of = shape.required[member] ?? shape.optional[member];
    if (of === undefined) complain(`${path}.${member} is no attribute of it`);
    else check(inner, of, path === '' ? member : `${path}.${member}`);
  }
  if (shape.oneOf.length > 0 && !shape.oneOf.some(member => value[member] !== undefined)) complain(`${path} has none of ${shape.oneOf.join(' ')}`);
}

function event(e) {
  const rule = classes[e.class_uid];
  if (!rule) { complain(`class ${e.class_uid} is none that this check knows`); return; }
  const named = (names = []) => Object.fromEntries(names.map(name => [name, shapes[name]]));
  const more = {};
  for (const profile of e.metadata?.profiles ?? []) {
    if (!profiles[profile]) complain(`profile ${profile} is not known`);
    Object.assign(more, profiles[profile]);
  }
  check(e, o({ ...base.required, ...named(rule.required) }, { ...base.optional, ...more, ...named(rule.optional) }, rule.oneOf), '');
  if (e.category_uid !== Math.floor(e.class_uid / 1000)) complain(`category ${e.category_uid} of class ${e.class_uid}`);
  if (e.type_uid !== e.class_uid * 100 + e.activity_id) complain(`type_uid ${e.type_uid} of class ${e.class_uid}, activity ${e.activity_id}`);
  captioned(e, 'activity', { 0: 'Unknown', ...rule.activities });
  captioned(e, 'severity', enums.severity, { needsCaption: false });
  captioned(e, 'status', e.class_uid === 2004 ? enums.finding_status : enums.status);
  captioned(e, 'action', enums.action, { other: false });
  captioned(e, 'disposition', enums.disposition);
  for (const one of [e.user, e.actor?.user]) if (one) captioned(one, 'type', enums.user_type);
  for (const one of [e.src_endpoint, e.dst_endpoint]) if (one) captioned(one, 'type', enums.endpoint_type);
  if (!/^1\.8\.\d+$/.test(e.metadata?.version ?? '')) complain(`metadata.version ${e.metadata?.version}`);
  if (e.time < 1.5e12 || e.time > 1e14) complain(`time ${e.time} is not in milliseconds`);
}

const events = fs.readFileSync(process.argv[2], 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));
for (const e of events) {
  where = e.unmapped.writ.event.type;
  event(e);
}
const found = failures;

// The check itself: each of these must be noticed.
const silent = console.log;
console.log = () => {};
const spoil = [e => { e.class_uid = 1; }, e => { e.type_uid++; }, e => { e.category_uid = 9; }, e => { delete e.time; }, e => { e.severity_id = 7; }, e => { e.status_id = 50; },
  e => { delete e.metadata; }, e => { e.wished = 1; }, e => { e.activity_id = 77; }, e => { e.message = ''; }, e => { e.metadata.profiles = ['dreams']; },
  e => { e.metadata.version = '1.0.0'; }];
let missed = 0;
for (const change of spoil) for (const e of events) {
  const copy = structuredClone(e);
  change(copy);
  failures = 0;
  event(copy);
  if (failures === 0) { missed++; silent(`not noticed: ${change} on ${e.unmapped.writ.event.type}`); }
}
console.log = silent;
const seen = new Set(events.map(e => e.class_uid));
const unseen = Object.keys(classes).filter(known => !seen.has(Number(known)));
if (unseen.length > 0) console.log(`no sample of the classes ${unseen}`);
console.log(`${events.length} events of ${seen.size} classes: ${found} complaints, ${missed} changes not noticed`);
process.exit(found + missed + unseen.length > 0 ? 1 : 0);

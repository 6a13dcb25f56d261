export const providers = {
  intro:
    'With keys of its own, the business works with its own account at a provider. They are stored encrypted and are never shown again.',
  own: 'Own keys:',
  installation: 'No own keys: the installation’s are used.',
  set: 'Set own keys',
  replace: 'Replace the keys',
  optional: 'May be left empty.',
  saved: 'Saved. In use from now on.',
  removeQuestion: 'From now on the installation’s keys are used.',
} as const

export const hours = {
  closed: 'closed',
  from: '{day}, from',
  to: '{day}, to',
  addSpan: '{day}: add hours',
  removeSpan: '{day}: remove these hours',
} as const

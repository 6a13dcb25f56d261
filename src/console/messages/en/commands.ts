export const commands = {
  title: 'Command bar',
  search: 'Search and commands',
  nothing: 'Nothing found. Write a name, a phone number or an action.',
  keys: 'Keyboard shortcuts',
  arrows: 'Move between conversations of the list',
  next: 'Next conversation',
  previous: 'Previous conversation',
  reply: 'Write a reply',
  newContact: 'New contact',
  find: 'Search',
} as const

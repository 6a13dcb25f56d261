export const state = {
  loading: 'Loading…',
  retry: 'Try again',
  failed: 'This could not be loaded.',
  more: 'More',
  forbidden: 'You do not have permission for this.',
  noResults: 'Nothing found. Try another search.',
  close: 'Close',
  cancel: 'Cancel',
  save: 'Save',
  undo: 'Undo',
  saved: 'Saved',
  notices: 'Notices',
} as const

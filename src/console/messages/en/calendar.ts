export const calendar = {
  title: 'Calendar',
  empty: 'No appointments ahead.',
  confirm: 'Confirm',
  cancel: 'Cancel appointment',
  booked: 'Booked',
  confirmed: 'Confirmed',
  cancelled: 'Cancelled',
} as const

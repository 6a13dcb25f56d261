export const entry = {
  payment: 'Payment request',
  appointment: 'Appointment',
  note: 'Note',
  call: 'Phone call',
} as const

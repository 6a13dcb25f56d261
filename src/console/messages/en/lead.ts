export const lead = {
  title: 'Leads',
  empty: 'No leads in this stage.',
  callback: 'Call back at',
  move: 'Move to stage',
  source: 'Source',
  value: 'Value',
  noName: 'No name',
  open: 'Open conversation',
  moved: '{name} moved to {stage}',
} as const

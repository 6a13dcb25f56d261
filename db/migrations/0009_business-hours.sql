-- The week that a business's receptionist kept becomes the business's own hours, where it had none. Spans that end before they
-- begin, or begin inside an earlier one, never opened anything and are left out.
UPDATE "businesses" b SET "hours" = coalesce((
  SELECT jsonb_object_agg(names.name, kept.spans)
  FROM (VALUES ('0', 'sun'), ('1', 'mon'), ('2', 'tue'), ('3', 'wed'), ('4', 'thu'), ('5', 'fri'), ('6', 'sat')) AS names(number, name)
  CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(s.opens, s.closes) ORDER BY s.opens) AS spans
    FROM (
      SELECT span->>'from' AS opens, span->>'to' AS closes,
        max(span->>'to') OVER (ORDER BY span->>'from' ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM jsonb_array_elements(coalesce(p.week->names.number, '[]'::jsonb)) AS span
      WHERE span->>'from' < span->>'to'
    ) s
    WHERE s.before IS NULL OR s.before <= s.opens
  ) kept
  WHERE kept.spans IS NOT NULL
), '{}'::jsonb)
FROM (
  SELECT DISTINCT ON (business_id) business_id, settings->'hours'->'week' AS week
  FROM "receptionist_profiles" ORDER BY business_id, version DESC
) p
WHERE p.business_id = b.id AND b.hours IS NULL AND jsonb_typeof(p.week) = 'object';

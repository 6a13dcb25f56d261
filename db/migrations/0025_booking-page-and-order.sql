ALTER TABLE "booking_settings" ADD COLUMN "page_language" text DEFAULT 'both' NOT NULL;--> statement-breakpoint
ALTER TABLE "booking_settings" ADD COLUMN "page_note" text DEFAULT 'optional' NOT NULL;--> statement-breakpoint
ALTER TABLE "booking_settings" ADD COLUMN "open_per_customer" integer DEFAULT 5 NOT NULL;--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN "position" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "staff" ADD COLUMN "color" text DEFAULT 'blue' NOT NULL;--> statement-breakpoint
ALTER TABLE "booking_settings" ADD CONSTRAINT "booking_settings_open" CHECK ("booking_settings"."open_per_customer" between 1 and 50);--> statement-breakpoint
ALTER TABLE "booking_settings" ADD CONSTRAINT "booking_settings_page_language" CHECK ("booking_settings"."page_language" in ('both', 'he', 'en'));--> statement-breakpoint
ALTER TABLE "booking_settings" ADD CONSTRAINT "booking_settings_page_note" CHECK ("booking_settings"."page_note" in ('off', 'optional', 'required'));--> statement-breakpoint
ALTER TABLE "staff" ADD CONSTRAINT "staff_color" CHECK ("staff"."color" in ('blue', 'green', 'purple', 'orange', 'pink', 'teal', 'red', 'gray'));
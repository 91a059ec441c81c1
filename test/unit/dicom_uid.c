#include "unit.h"

#include <stdio.h>

#include "guard/proto/dicom_names.h"
#include "guard/proto/dicom_uid.h"

/* PS3.6 annex A as pydicom has it, a UID a line: 'uid': ('name', 'type', 'info', 'Retired', */
#define REGISTRY "/usr/lib/python3/dist-packages/pydicom/_uid_dict.py"

struct entry {
	char part[5][200]; /* uid, name, type, info, retired */
};

static bool read_entry(const char *line, struct entry *ret_e)
{
	for (unsigned i = 0; i < 5; i++) {
		const char *from = strchr(line, '\''), *to = from ? strchr(from + 1, '\'') : NULL;

		if (!to || to - from > 199)
			return false;
		memcpy(ret_e->part[i], from + 1, (size_t)(to - from - 1));
		ret_e->part[i][to - from - 1] = 0;
		line = to + 1;
	}
	return true;
}

static struct bytes text(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

/* Of JPEG's processes the registry says "2 & 4", and pydicom "2 and 4". */
static void say_and(char *name)
{
	char *at = strstr(name, "(Process "), *and = at ? strstr(at, " and ") : NULL;

	if (!and)
		return;
	and[1] = '&';
	memmove(and+2, and+4, strlen(and+4) + 1);
}

/* Every SOP class and transfer syntax of the registry, by the registry's name. */
static void names_are_the_registrys(void **state)
{
	FILE *f = fopen(REGISTRY, "r");
	unsigned sop_classes = 0, syntaxes = 0;
	struct entry e;
	char line[1000], name[220];

	if (!f) {
		print_message("no %s (python3-pydicom)\n", REGISTRY);
		skip();
	}
	while (fgets(line, sizeof(line), f)) {
		bool syntax;
		unsigned n;

		if (!strstr(line, "': ('") || !read_entry(line, &e) || !*e.part[1])
			continue;
		syntax = !strcmp(e.part[2], "Transfer Syntax");
		if (!syntax && strcmp(e.part[2], "SOP Class") &&
		    strcmp(e.part[2], "Meta SOP Class"))
			continue;
		snprintf(name, sizeof(name), "%s%s", e.part[1], *e.part[4] ? " (Retired)" : "");
		say_and(name);
		n = dicom_uid_find(syntax ? DICOM_SYNTAXES : DICOM_SOP_CLASSES, text(e.part[0]));
		assert_int_not_equal(n, 0);
		assert_string_equal(dicom_uid_name(syntax ? DICOM_SYNTAXES : DICOM_SOP_CLASSES, n),
				    name);
		syntaxes += syntax;
		sop_classes += !syntax;
	}
	fclose(f);
	assert_true(sop_classes >= 290);
	assert_true(syntaxes >= 47);
}

/* What PS3.6 registered since that pydicom was written, up to 2026. */
static void the_newest_have_names(void **state)
{
	static const char *const classes[][2] = {
		{"1.2.840.10008.5.1.4.1.1.11.12",
		 "Variable Modality LUT Softcopy Presentation State Storage"},
		{"1.2.840.10008.5.1.4.1.1.2.3", "CT Image Storage - For Processing"},
		{"1.2.840.10008.5.1.4.1.1.2.4", "Enhanced CT Image Storage - For Processing"},
		{"1.2.840.10008.5.1.4.1.1.2.5",
		 "Legacy Converted Enhanced CT Image Storage - For Processing"},
		{"1.2.840.10008.5.1.4.1.1.601.5", "Ultrasound Waveform Storage"},
		{"1.2.840.10008.5.1.4.1.1.9.100.1", "Waveform Presentation State Storage"},
		{"1.2.840.10008.5.1.4.1.1.9.100.2",
		 "Waveform Acquisition Presentation State Storage"},
	};

	for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		unsigned n = dicom_uid_find(DICOM_SOP_CLASSES, text(classes[i][0]));

		assert_int_not_equal(n, 0);
		assert_string_equal(dicom_uid_name(DICOM_SOP_CLASSES, n), classes[i][1]);
	}
}

/* A search by halves needs the order; each is found where it stands, and nothing beside it. */
static void each_is_found(void **state)
{
	for (unsigned r = DICOM_SOP_CLASSES; r <= DICOM_SYNTAXES; r++) {
		unsigned n = 1;

		for (const char *uid; (uid = dicom_uid_text(r, n)); n++) {
			struct bytes exact = unit_exact(uid, strlen(uid));
			char longer[80];

			assert_int_equal(dicom_uid_find(r, exact), n);
			snprintf(longer, sizeof(longer), "%s.999", uid);
			assert_int_equal(dicom_uid_find(r, text(longer)), 0);
			free((void *)exact.data);
		}
		assert_true(n > 60);
		assert_null(dicom_uid_name(r, 0));
		assert_null(dicom_uid_name(r, n));
		assert_int_equal(dicom_uid_find(r, text("")), 0);
		assert_int_equal(dicom_uid_find(r, text("2")), 0);
	}
}

static void a_status_depends_on_the_service(void **state)
{
	uint16_t store = DICOM_C_STORE | DICOM_RESPONSE, move = DICOM_C_MOVE | DICOM_RESPONSE;

	assert_string_equal(dicom_status_name(store, 0), "Success");
	assert_string_equal(dicom_status_name(store, 0xb000), "Warning: Coercion of Data Elements");
	assert_string_equal(dicom_status_name(move, 0xb000),
			    "Warning: Sub-operations Complete - One or more Failures");
	assert_string_equal(dicom_status_name(store, 0xa7ff), "Refused: Out of Resources");
	assert_string_equal(dicom_status_name(store, 0xc123), "Error: Cannot understand");
	assert_string_equal(dicom_status_name(move, 0xc123), "Failed: Unable to process");
	assert_string_equal(dicom_status_name(DICOM_N_ACTION | DICOM_RESPONSE, 0x0123),
			    "No such action");
	assert_null(dicom_status_name(move, 0x7777));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_registrys),
		cmocka_unit_test(the_newest_have_names),
		cmocka_unit_test(each_is_found),
		cmocka_unit_test(a_status_depends_on_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

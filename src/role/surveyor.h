#ifndef BEDWARDEN_ROLE_SURVEYOR_H
#define BEDWARDEN_ROLE_SURVEYOR_H
/*
 * The surveyor: holds the advisories at hand against the policy's devices (update/advisory/survey.h), for who asks
 * by the API. What advisories and lists of parts say comes from outside, so it is read here, by a
 * process without capabilities but that of reading, without a network, and with no more of the file system than
 * it reads. The parent starts it when the keeper wants one; it ends when that is done.
 *
 *   bedwarden _surveyor -c FILE
 *
 * fd 3 is its end of the parent's pair. It answers by one IPC_SURVEYED: a memfd with the JSON of survey_json(), or
 * {"error":…}.
 */

/* Of an answer; who gets a larger one refuses it. */
#define SURVEYOR_BYTES_MAX (64u << 20)

int surveyor_main(int argc, char **argv);

#endif

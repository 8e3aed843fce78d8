/*
 * A packet loop as flannel's C proxy is built: one packet for each system call, no offload. What a program that sleeps in
 * poll(2) costs at least, whatever it is written in. One peer, nothing checked: for `make bench` alone.
 *
 * usage: one-by-one DEVICE OWN-ADDRESS PEER-ADDRESS PORT. Makes the TUN device, prints "ready", and runs until it is killed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 791: octet 8 is the time to live, 10 and 11 are the checksum, which grows as the other shrinks (RFC 1624). */
static void count_hop(unsigned char *packet)
{
	unsigned int sum = (packet[10] << 8 | packet[11]) + 0x100;

	packet[8]--;
	sum = (sum & 0xffff) + (sum >> 16);
	packet[10] = sum >> 8;
	packet[11] = sum;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
		fail("/dev/net/tun");
	return tun;
}

static struct sockaddr_in address(const char *text, const char *port)
{
	struct sockaddr_in made = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	made.sin_addr.s_addr = inet_addr(text);
	return made;
}

int main(int argc, char **argv)
{
	static unsigned char packet[65536];
	ssize_t bytes;

	if (argc != 5)
		return 64;
	int tun = open_tun(argv[1]);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in own = address(argv[2], argv[4]), peer = address(argv[3], argv[4]);
	struct pollfd waited[] = { { tun, POLLIN }, { udp, POLLIN } };

	if (udp < 0 || bind(udp, (struct sockaddr *)&own, sizeof own) < 0)
		fail("UDP socket");
	puts("ready");
	fflush(stdout);
	while (poll(waited, 2, -1) > 0) {
		while ((bytes = read(tun, packet, sizeof packet)) > 0) {
			count_hop(packet);
			sendto(udp, packet, bytes, 0, (struct sockaddr *)&peer, sizeof peer);
		}
		while ((bytes = recv(udp, packet, sizeof packet, 0)) > 0) {
			count_hop(packet);
			if (write(tun, packet, bytes) < 0)
				continue; /* It is lost, as in a queue that is full. */
		}
	}
	fail("poll");
}

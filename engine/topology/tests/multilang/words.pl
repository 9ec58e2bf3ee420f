# A spout of COUNT sentences, written from the protocol page. What fails is emitted again.
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->utf8->allow_nonref;
my ($next, $count) = (0, $ARGV[0]);
$| = 1;

sub receive {
    my $text = "";
    while (my $line = <STDIN>) {
        return $json->decode($text) if $line eq "end\n";
        $text .= $line;
    }
    exit 2;
}

sub say_message { print $json->encode($_[0]), "\nend\n" }

sub emit {
    my ($number) = @_;
    say_message({ command => "emit", id => $number, tuple => ["line $number of $count"] });
    my $tasks = receive();
    die "no task ids" unless ref $tasks eq "ARRAY";
}

my $setup = receive();
open(my $file, ">", "$setup->{pidDir}/$$") or die;
close $file;
say_message({ pid => $$ });
while (1) {
    my $message = receive();
    emit($next++) if $message->{command} eq "next" && $next < $count;
    emit($message->{id}) if $message->{command} eq "fail";
    say_message({ command => "sync" });
}
